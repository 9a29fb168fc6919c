//! Deterministic models of failing systems, on one engine of named choices.
//!
//! # The house
//!
//! Floors, each importing only what is below it:
//!
//! | floor | what lives there | begin reading at |
//! |---|---|---|
//! | [`scenario`] | the RON schema, claims and verdicts, searching, shrinking, reproductions | [`scenario::load`] |
//! | [`observe`] | what observers see of TCP: maps, buffers, logs, polls | [`observe::Observer`] |
//! | [`golang`] | what the Go toolchain does that one can observe | [`golang::toolchain`] |
//! | [`win7`], [`linux`] | the machines: registry and programs; processes, files, a shell | [`win7::program`], [`linux::process`] |
//! | [`engine`] | virtual time, agenda, choices, faults, trace, exhaustive search | [`engine::Machine`] |
//!
//! # The one idea
//!
//! Whatever is not determined (who goes next, whether a fault strikes, how long a pause lasts) is asked
//! through one door, [`engine::Cx::choose`], by a key that says who decides what for the how manieth
//! time. Behind the door stands a [source](engine::source): a seed, a recorded list, an enumerator, a
//! tape of bytes. The [trace](engine::Trace) of typed records is the only output of a run.
//!
//! # A property test over choices
//!
//! With the feature `proptest`, a test is run under many tapes, and a failing one shrinks to the fewest
//! departures from the default:
//!
#![cfg_attr(feature = "proptest", doc = "```")]
#![cfg_attr(not(feature = "proptest"), doc = "```ignore")]
//! use faultlab_sim::{proptest::tapes, scenario::{Chooser, Keep, load}};
//! use proptest::prelude::*;
//! # let text = r#"Scenario(version: 1, id: "two-installers", title: "", story: (said: "", happens: "", why: "", see: ""),
//! #     world: Windows((registry: { "HKCU\\Environment": { "Path": Sz("x") } }, programs: [
//! #         (name: "a", calls: [QueryText(key: "HKCU\\Environment", value: "Path", into: "p"), SetText(key: "HKCU\\Environment", value: "Path", text: "{p};a")]),
//! #         (name: "b", calls: [QueryText(key: "HKCU\\Environment", value: "Path", into: "p"), SetText(key: "HKCU\\Environment", value: "Path", text: "{p};b")]),
//! #     ])),
//! #     cases: [(search: Run)], arms: [(name: "baseline")], claims: [(id: "a-stays", says: "", expected: Undecided,
//! #         claim: Every(Last(of: (kind: "reg_set"), is: { "data": Contains("a") })))])"#;
//!
//! let scenario = load("two-installers.ron", text, &mut |_| Err("no scripts".into())).unwrap();
//! let arm = scenario.scenario.arm("baseline").unwrap();
//! let machine = scenario.prepare(arm, &Default::default(), &[]).unwrap();
//! let watch = scenario.watch_of("a-stays");
//! let result = proptest::test_runner::TestRunner::deterministic().run(&tapes(16), |tape| {
//!     let outcome = machine.run(&Chooser::Tape(tape), &watch, Keep::default());
//!     prop_assert!(outcome.bits & 1 == 1, "an entry was lost");
//!     Ok(())
//! });
//! assert!(result.is_err(), "two installers that interleave lose an entry");
//! ```

pub mod engine;
pub mod golang;
pub mod linux;
pub mod observe;
#[cfg(feature = "proptest")]
pub mod proptest;
pub mod scenario;
pub mod win7;
