//! A time-series database that is asked: its answers' times, as somebody measured them.
//!
//! Nothing here is modelled: how long Prometheus takes is a property of a deployment. Without a measurement the
//! world refuses, and decides nothing; with one, it says what the measurement comes to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::{Cx, Record as EngineRecord};

/// What is asked of how much, and what was measured.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryLab {
    /// How many series there are.
    pub series: u32,
    /// How many minutes of samples each has, one every 15 s.
    pub minutes: u32,
    /// What is asked, in PromQL, over the last half of these minutes, a point every 15 s.
    pub query: String,
    /// How often it is asked, after once that does not count.
    pub times: u32,
    /// What was measured; none: nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// A measurement.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// What was asked, with its version.
    pub server: String,
    /// How long each answer took, from the request to its last byte, in us.
    pub latencies_us: Vec<u64>,
}

crate::records! {
    /// What a database was measured to do.
    pub enum Record {
        /// All answers to one query.
        QueryLatency = "query_latency", "{server} with {series} series answers 95 of 100 times within {p95_us} us" {
            /// What was asked, with its version.
            server: Arc<str>,
            /// How many series it had.
            series: u32,
            /// How often it was asked.
            times: u64,
            /// Half of the answers took this long at the most, in us.
            p50_us: u64,
            /// 95 of 100.
            p95_us: u64,
            /// The longest.
            max_us: u64,
        },
    }
}

impl QueryLab {
    /// The entity that answers.
    pub const SERVER: &'static str = "prometheus";

    /// Why there is nothing to judge by.
    pub const UNMEASURED: &'static str = "a real Prometheus that answers queries: `faultlab run` asks one where it is installed (apt-get install prometheus)";

    /// Whether it makes sense.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), String> {
        let within = |field: &str, value: u32, least: u32, most: u32| match (least..=most)
            .contains(&value)
        {
            true => Ok(()),
            false => Err(format!("{field}: must be from {least} to {most}")),
        };
        within("series", self.series, 1, 1_000_000)?;
        within("minutes", self.minutes, 1, 240)?;
        within("times", self.times, 1, 10_000)?;
        match &self.measured {
            Some(measured) if measured.latencies_us.is_empty() => {
                Err("measured: latencies_us is empty".into())
            }
            _ => Ok(()),
        }
    }

    /// Notes what was measured.
    ///
    /// # Errors
    /// Nothing was.
    pub fn begin<E, R>(&self, cx: &mut Cx<'_, E, R>) -> Result<(), &'static str>
    where
        R: EngineRecord + From<Record>,
    {
        let measured = self.measured.as_ref().ok_or(QueryLab::UNMEASURED)?;
        let mut latencies = measured.latencies_us.clone();
        latencies.sort_unstable();
        // The nearest rank: so many of a hundred took no longer.
        let quantile =
            |percent: usize| latencies[(latencies.len() * percent).div_ceil(100).max(1) - 1];
        let server = cx.name(QueryLab::SERVER);
        cx.record(
            server,
            Record::QueryLatency {
                server: measured.server.as_str().into(),
                series: self.series,
                times: latencies.len() as u64,
                p50_us: quantile(50),
                p95_us: quantile(95),
                max_us: quantile(100),
            },
        );
        Ok(())
    }
}
