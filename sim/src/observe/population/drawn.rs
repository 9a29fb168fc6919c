//! What chance decides about a node, all of it through the engine's one door.
//!
//! When the node's kernel booted is a choice at site `boot` by `node-N`. When connections of one kind come, from
//! which peers and on which CPUs, follows from one number at site `arrivals` by `node-N/LIFE-PORT` (of an
//! incident `node-N/TROUBLE/LIFE-PORT`): all that is left open about the n-th of them is a hash of that number
//! and n, so that any of them can be asked for alone. Names do not count kinds, so a population with one kind
//! more or less leaves the others as they were; a second kind of the same name is its second time.

use super::config::{Flows, Population};
use crate::engine::{Key, Names, Options, Ordinals, Source};
use crate::linux::tcp::Clock;

/// What was decided about one node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Drawn {
    pub(super) boot_jiffies: u64,
    /// One for each of [`Population::kinds`].
    pub(super) numbers: Vec<u64>,
}

impl Drawn {
    /// Has all of it decided by `choose`, which is given a site, the path of birth of who decides, and the
    /// options.
    ///
    /// # Panics
    /// If the population has no such node.
    pub fn by(
        population: &Population,
        node: u32,
        mut choose: impl FnMut(&'static str, &str, &Options<'_>) -> u64,
    ) -> Drawn {
        assert!(node < population.nodes, "the population has no node {node}");
        let who = format!("node-{node}");
        let phases = Options::numbers(0, Clock::PHASES - 1).default_to(Clock::USUAL_PHASE);
        let boot_jiffies = choose("boot", &who, &phases);
        let numbers = population.kinds(node).map(|kind| {
            let Flows { life, port, .. } = kind.flows;
            let path = match kind.trouble {
                None => format!("{who}/{life}-{port}"),
                Some(trouble) => format!("{who}/{trouble}/{life}-{port}"),
            };
            choose("arrivals", &path, &Options::numbers(0, u32::MAX.into()))
        });
        Drawn {
            boot_jiffies,
            numbers: numbers.collect(),
        }
    }

    /// The same, decided by a source alone, as in a run that has only this node.
    ///
    /// # Panics
    /// If the population has no such node.
    pub fn from_source(population: &Population, node: u32, source: &mut dyn Source) -> Drawn {
        let (mut names, mut ordinals) = (Names::new(), Ordinals::default());
        Drawn::by(population, node, |site, path, options| {
            let mut key = Key {
                site,
                entity: names.name(path),
                verb: "",
                object: Key::NO_OBJECT,
                ordinal: 0,
            };
            key.ordinal = ordinals.next(&key, options.is_wide());
            source.choose(&key, options, &names)
        })
    }
}
