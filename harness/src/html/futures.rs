//! The futures along a run: a table of where their share changes, and the curve above the timeline.

use faultlab_sim::scenario::{Point, PointOfNoReturn};
use serde::Serialize;

use crate::point_of_no_return::{
    Row, largest_jump, last_record, percent, rests_on, rows, verdict, words,
};
use crate::render::counted;

/// The section about one run.
#[derive(Serialize)]
pub struct FuturesView {
    claim: String,
    says: String,
    verdict: String,
    largest: Option<String>,
    rests_on: String,
    /// Which run of the chapter it is about.
    run: usize,
    rows: Vec<RowView>,
}

#[derive(Serialize)]
struct RowView {
    /// The record after which it is so.
    record: Option<usize>,
    share: String,
    /// Of the bar, in percent with one digit.
    width: String,
    words: String,
    class: &'static str,
}

impl FuturesView {
    /// What was found along a run that decides a claim.
    pub fn new(claim: &str, says: &str, found: &PointOfNoReturn) -> FuturesView {
        let row = |row| match row {
            Row::Start => RowView {
                record: None,
                share: percent(&found.start),
                width: width(found.start.ppm()),
                words: "before the first step".into(),
                class: "",
            },
            Row::Point(index) => {
                let point = &found.points[index];
                RowView {
                    record: last_record(point),
                    share: percent(&point.share),
                    width: width(point.share.ppm()),
                    words: words(point),
                    class: match Some(index) == found.point {
                        true => "point",
                        false => "",
                    },
                }
            }
            Row::Left(count) => RowView {
                record: None,
                share: String::new(),
                width: width(0),
                words: format!("… {} of little change", counted(count, "step")),
                class: "same",
            },
        };
        FuturesView {
            claim: claim.into(),
            says: says.into(),
            verdict: verdict(found),
            largest: largest_jump(found),
            rests_on: rests_on(found),
            run: 0,
            rows: rows(found).into_iter().map(row).collect(),
        }
    }

    /// Whether there is a record before which it could have ended otherwise, and after which not.
    pub(super) fn has_point(&self) -> bool {
        self.rows.iter().any(|row| row.class == "point")
    }

    /// Says which run of the chapter it is about.
    pub(super) fn stand_at(&mut self, run: usize) {
        self.run = run;
    }
}

fn width(ppm: u64) -> String {
    format!("{}.{}", ppm / 10_000, ppm / 1000 % 10)
}

/// The curve, as `curve.js` draws it.
#[derive(Serialize)]
pub struct Curve {
    verdict: String,
    rests_on: String,
    /// Before the first transition.
    start: Share,
    /// After each transition: the number of records that there are then, whether it wrote the last of them,
    /// when in ns, the share.
    points: Vec<(usize, bool, u64, Share)>,
    /// From which of `points` on every future fails.
    point: Option<usize>,
}

/// In parts of a million, and in words.
type Share = (u64, String);

impl Curve {
    /// Of what was found along a run.
    pub fn new(found: &PointOfNoReturn) -> Curve {
        let share = |share: &faultlab_sim::scenario::Share| (share.ppm(), percent(share));
        let point = |point: &Point| {
            let wrote = !point.records.is_empty();
            (point.records.end, wrote, point.t_ns.0, share(&point.share))
        };
        Curve {
            verdict: verdict(found),
            rests_on: rests_on(found),
            start: share(&found.start),
            points: found.points.iter().map(point).collect(),
            point: found.point,
        }
    }
}
