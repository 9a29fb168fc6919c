//! Storyboards of the shipped scenarios: what records touched, what brought them about, what was decided.

mod support;

use faultlab_sim::engine::{Entity, Record as _, Time};
use faultlab_sim::scenario::{
    Chooser, Frame, How, Keep, Loaded, Prepared, Record, Storyboard, Touched, Watch, shrink,
};
use support::{judge, shipped};

fn prepared(loaded: &Loaded, arm: &str) -> Prepared {
    let arm = loaded.scenario.arm(arm).expect("an arm of the scenario");
    let case = &loaded.scenario.cases_of(arm)[0];
    loaded.prepare(arm, &case.params, &[]).expect("it prepares")
}

fn board(id: &str, arm: &str) -> Storyboard {
    prepared(&shipped(id), arm).storyboard(&Chooser::Seed(0), 0, 5_000)
}

/// The frames are the trace, whatever the world, and a window of them is a part of it.
#[test]
fn frames_are_the_records_of_the_run() {
    for (id, arm) in [
        ("path-lost-update", "baseline"),
        ("c-go-acl", "protected-dacl"),
        ("gbk-source", "baseline"),
        ("max-path", "baseline"),
        ("goroot-race", "shared-symlink"),
        ("syn-blackhole", "blackhole-6.18"),
        ("redis-pool-exhaustion", "pool"),
    ] {
        let loaded = shipped(id);
        let prepared = prepared(&loaded, arm);
        let keep = Keep {
            records: true,
            choices: true,
            ..Keep::default()
        };
        let outcome = prepared.run(&Chooser::Seed(0), &Watch::new(Vec::new()), keep);
        let board = prepared.storyboard(&Chooser::Seed(0), 0, 5_000);
        assert_eq!(board.hash, outcome.hash, "{id}");
        let frames: Vec<_> = board.frames.iter().map(Frame::entry).collect();
        assert_eq!(frames, outcome.entries, "{id}");
        assert_eq!(board.at, outcome.at, "{id}");
        let departures = board.decisions.iter().filter(|d| d.is_departure()).count();
        assert_eq!(departures, outcome.taken.choices.len(), "{id}");
        assert_eq!(board.decisions.len() as u64, outcome.taken.total, "{id}");

        let part = prepared.storyboard(&Chooser::Seed(0), 2, 3);
        assert_eq!(part.records, outcome.events, "{id}");
        let middle: Vec<_> = part.frames.iter().map(Frame::entry).collect();
        assert_eq!(
            middle,
            outcome.entries[2..outcome.entries.len().min(5)],
            "{id}"
        );
        for (frame, whole) in part.frames.iter().zip(&board.frames[2..]) {
            assert_eq!(frame.touched, whole.touched, "{id}");
        }
        // A window is the same without what comes after it.
        let within = prepared.story_within(&Chooser::Seed(0), 2..5, &mut |_| true);
        let within = within.expect("it is not given up");
        let same = |one: &Frame, other: &Frame| {
            (one.entry(), &one.touched) == (other.entry(), &other.touched)
        };
        assert_eq!(within.frames.len(), part.frames.len(), "{id}");
        let mut both = within.frames.iter().zip(&part.frames);
        assert!(both.all(|(one, other)| same(one, other)), "{id}");
        // It can be given up in either of its two runs.
        for gives_up in [false, true] {
            let mut asked = 0;
            let given_up = prepared.story_within(&Chooser::Seed(0), 2..5, &mut |pace| {
                asked += u64::from(pace.again == gives_up);
                pace.again != gives_up
            });
            assert_eq!(
                (given_up.is_none(), asked),
                (asked > 0, asked.min(1)),
                "{id}"
            );
        }
    }
}

/// Nobody but these programs writes to the value, so that each finds it as the last one left it.
#[test]
fn a_lost_update_shows_what_each_write_replaced() {
    let loaded = shipped("path-lost-update");
    let report = judge(&loaded);
    let claim = &report.claims[0];
    let witness = claim.witness.as_ref().expect("some run shows it");
    let shrunk = shrink(&loaded, &claim.id, &claim.verdict, witness, &[]).expect("it prepares");
    let chooser = Chooser::Named(shrunk.reproduction.choices, shrunk.reproduction.rest);
    let board = prepared(&loaded, "baseline").storyboard(&chooser, 0, 100);

    let path = |frame: &Frame| {
        let mut touched = frame.touched.iter();
        touched
            .find(|touched| touched.what == "HKCU\\Environment\\Path")
            .cloned()
    };
    let seen: Vec<_> = board.frames.iter().filter_map(path).collect();
    assert_eq!(seen.len(), 4, "two reads and two writes: {seen:#?}");
    assert_eq!(seen[0].before.as_deref(), Some("%USERPROFILE%\\bin"));
    for (earlier, later) in seen.iter().zip(&seen[1..]) {
        assert_eq!(earlier.after, later.before);
    }
    let last = seen.last().expect("there are four");
    let (before, after) = (last.before.as_ref(), last.after.as_ref());
    let lost = "C:\\Program Files\\Go\\bin";
    let (before, after) = (before.expect("set"), after.expect("set"));
    assert!(before.contains(lost) != after.contains(lost), "{last:?}");

    // The one departure is a switch between two programs, and both are offered.
    let departures: Vec<_> = board
        .decisions
        .iter()
        .filter(|d| d.is_departure())
        .collect();
    assert_eq!(departures.len(), 1);
    assert_eq!(departures[0].key.site, "sched");
    assert!(departures[0].options.contains(&"go on".to_owned()));
    assert!(departures[0].options.contains(&departures[0].take));
}

#[test]
fn a_switched_link_is_seen_by_who_comes_after() {
    let board = board("goroot-race", "shared-symlink");
    let link = "file /usr/local/go";
    let switched = board.frames.iter().position(|frame| {
        let changed = |touched: &&Touched| touched.what == link && touched.is_changed();
        &*frame.actor != "builder" && frame.touched.iter().any(|t| changed(&t))
    });
    let switched = switched.expect("the switcher replaces the link");
    let touched = &board.frames[switched].touched;
    let touched = touched.iter().find(|touched| touched.what == link);
    let touched = touched.expect("it was just found");
    assert_ne!(touched.before, touched.after);
    assert!(
        touched
            .after
            .as_ref()
            .is_some_and(|after| after.starts_with("link to"))
    );

    // Each child's first record comes of its birth.
    for (index, frame) in board.frames.iter().enumerate() {
        let is_first = board.frames[..index]
            .iter()
            .all(|other| other.actor != frame.actor);
        if is_first && frame.actor.contains("/child-") {
            let cause = frame.cause.expect("a child was forked");
            assert_eq!(
                (cause.how, board.frames[cause.frame].record.kind()),
                (How::Fork, "fork")
            );
        }
    }
}

#[test]
fn resets_arrive_as_packets_and_end_sockets() {
    let loaded = shipped("rst-storm");
    let prepared = prepared(&loaded, "jittered-backoff");
    // Two of ten thousand clients, and what the server does for them.
    let two = ["10.1.0.1", "10.1.0.2"];
    let mut of_two = |_: u64, _: Time, _: Entity, record: &Record| match record {
        Record::Tcp(record) => {
            let ((from, _), (to, _)) = record.ends();
            two.iter()
                .any(|addr| [from, to].iter().any(|end| end.to_string() == *addr))
        }
        _ => true,
    };
    let board = prepared.storyboard_of(&Chooser::Seed(0), &mut of_two);
    let resets: Vec<_> = board
        .frames
        .iter()
        .filter(|frame| frame.record.kind() == "tcp_receive_reset")
        .collect();
    assert!(resets.len() >= 2, "{}", resets.len());
    for reset in resets {
        let cause = reset.cause.expect("a server sent it");
        assert_eq!(cause.how, How::Packet);
        let sender = &board.frames[cause.frame];
        assert_eq!(sender.record.kind(), "tcp_send_reset");
        // The link takes 100 us, and a segment waits for those before it.
        let travelled = (reset.at - sender.at).0;
        assert!((100_000..1_000_000).contains(&travelled), "{travelled} ns");
        let socket = &reset.touched[0];
        assert!(socket.what.starts_with("socket 10.1."), "{socket:?}");
        assert!(
            socket
                .before
                .as_ref()
                .is_some_and(|state| state.starts_with("TCP_SYN_SENT")),
            "{socket:?}"
        );
        assert!(
            socket
                .after
                .as_ref()
                .is_none_or(|state| state.starts_with("TCP_CLOSE")),
            "{socket:?}"
        );
    }
}

/// Under some seed the builder runs a tool by the link after it was replaced, and the two are told as cause and
/// effect.
#[test]
fn who_goes_by_a_switched_link_meets_what_was_changed() {
    let loaded = shipped("goroot-race");
    let prepared = prepared(&loaded, "shared-symlink");
    let meets = |seed: u64| {
        let board = prepared.storyboard(&Chooser::Seed(seed), 0, 5_000);
        let is_builder = |frame: &&Frame| frame.actor.starts_with("builder");
        board.frames.iter().filter(is_builder).any(|frame| {
            let met = frame.met.map(|met| &board.frames[met]);
            met.is_some_and(|met| {
                met.record.kind() == "rename" && met.actor.starts_with("switcher")
            }) && frame.record.kind() == "exec"
        })
    };
    assert!((0..200).any(meets), "no seed in 200 switches in time");
}
