//! `sweep` and `merge`.

use crate::{Lab, json_lines, without_hashes};

const SWEEP: [&str; 4] = ["sweep", "two-writers.ron", "--seeds", "10..1010"];

fn sweep(lab: &Lab, more: &[&str]) -> String {
    lab.run(&[&SWEEP[..], more].concat()).exits(0)
}

#[test]
fn text() {
    insta::assert_snapshot!(without_hashes(&sweep(&Lab::new(), &[])));
}

#[test]
fn progress_and_times_are_not_on_standard_output() {
    let ran = Lab::new().run(&SWEEP);
    assert!(ran.stderr.starts_with("1000 runs in "), "{}", ran.stderr);
    assert!(!ran.stdout.contains("second"), "{}", ran.stdout);
}

#[test]
fn json_names_every_seed() {
    let lines = json_lines(&sweep(&Lab::new(), &["--json"]));
    let [swept] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (&swept["runs"], &swept["repeated"]),
        (&1000.into(), &16.into())
    );
    assert!(swept["distinct_traces"].as_u64().is_some_and(|n| n > 1));
    let seeds = swept["claims"][0]["seeds"].as_array().expect("a list");
    assert_eq!(swept["claims"][0]["hits"], seeds.len());
    let in_range = seeds
        .iter()
        .all(|seed| seed.as_u64().is_some_and(|seed| (10..1010).contains(&seed)));
    assert!(in_range && seeds.len() > 10);
    // What asks for every run is broken by the very seeds that lose a write.
    assert_eq!(swept["claims"][2]["seeds"], swept["claims"][0]["seeds"]);
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let lab = Lab::new();
    for flag in [&[][..], &["--json"]] {
        let of = |threads| sweep(&lab, &[flag, &["--threads", threads]].concat());
        let one = of("1");
        for threads in ["2", "3", "16"] {
            assert_eq!(of(threads), one, "{threads} threads");
        }
    }
}

#[test]
fn an_arm_without_choices_reaches_one_trace() {
    let lab = Lab::new();
    let text = sweep(&lab, &["--arm", "apart"]);
    assert!(text.contains("reached 1 distinct trace;"), "{text}");
}

#[test]
fn shards_put_together_are_the_sweep_byte_for_byte() {
    let lab = Lab::new();
    let (text, json) = (sweep(&lab, &[]), sweep(&lab, &["--json"]));
    for of in [1, 3, 7] {
        // In any order.
        let names: Vec<String> = (1..=of)
            .rev()
            .map(|nth| format!("{nth}-of-{of}.json"))
            .collect();
        for (name, nth) in names.iter().zip((1..=of).rev()) {
            lab.write(name, &sweep(&lab, &["--shard", &format!("{nth}/{of}")]));
        }
        let mut args = vec!["merge"];
        args.extend(names.iter().map(String::as_str));
        assert_eq!(lab.run(&args).exits(0), text, "{of}");
        args.push("--json");
        assert_eq!(lab.run(&args).exits(0), json, "{of}");
    }
}

#[test]
fn more_shards_than_seeds() {
    let lab = Lab::new();
    let seeds = ["sweep", "two-writers.ron", "--seeds", "5..7"];
    let whole = lab.run(&seeds).exits(0);
    let names = ["a", "b", "c"];
    for (nth, name) in names.iter().enumerate() {
        let shard = format!("{}/3", nth + 1);
        lab.write(
            name,
            &lab.run(&[&seeds[..], &["--shard", &shard]].concat())
                .exits(0),
        );
    }
    assert_eq!(lab.run(&["merge", "a", "b", "c"]).exits(0), whole);
}

#[test]
fn a_seed_that_contradicts_the_record_is_exit_1() {
    let lab = Lab::new();
    lab.variant("wrong.ron", "expected: Refuted", "expected: Holds");
    let args = ["sweep", "wrong.ron", "--seeds", "0..100"];
    let text = lab.run(&args).exits(1);
    assert!(
        text.contains("✗ this is not as the scenario records it"),
        "{text}"
    );
    lab.write(
        "one",
        &lab.run(&[&args[..], &["--shard", "1/1"]].concat()).exits(0),
    );
    assert_eq!(lab.run(&["merge", "one"]).exits(1), text);
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let lab = Lab::new();
    lab.variant("edited.ron", "Each writer finds", "Every writer finds");
    let shard = |name: &str, args: &str| {
        let args: Vec<&str> = ["sweep"].into_iter().chain(args.split(' ')).collect();
        lab.write(name, &lab.run(&args).exits(0));
    };
    shard("1", "two-writers.ron --seeds 0..100 --shard 1/2");
    shard("2", "two-writers.ron --seeds 0..100 --shard 2/2");
    shard("other-text", "edited.ron --seeds 0..100 --shard 2/2");
    shard("other-seeds", "two-writers.ron --seeds 0..101 --shard 2/2");
    shard(
        "other-arm",
        "two-writers.ron --seeds 0..100 --shard 2/2 --arm refused",
    );
    shard("other-count", "two-writers.ron --seeds 0..100 --shard 2/3");
    shard(
        "other-scenario",
        "path-lost-update --seeds 0..100 --shard 2/2",
    );
    let two = lab.read("2");
    lab.write("other-models", &two.replace("\"win7\":", "\"win7\":7"));
    lab.write(
        "other-format",
        &two.replace("\"faultlab_shard\":1", "\"faultlab_shard\":2"),
    );
    lab.write("cut", &two[..two.len() / 2]);
    lab.write("not-json", "shard 2 of 2\n");
    lab.write("empty", "");
    lab.write(
        "repeated",
        &two.replace("\"repeated\":1", "\"repeated\":1000000"),
    );
    assert_ne!(lab.read("repeated"), two);
    let at = two.find("\"hex\":\"").expect("bits") + "\"hex\":\"".len();
    let mut damaged = two.clone();
    damaged.replace_range(at..at + 1, "f");
    lab.write("damaged", &damaged);

    lab.run(&["merge", "1", "2"]).exits(0);
    for (args, expected) in [
        (&["1"][..], "shards are missing: 2/2"),
        (&["2"], "shards are missing: 1/2"),
        (&["1", "1"], "the shard 1/2 is there twice: 1 and 1"),
        (&["1", "2", "2"], "the shard 2/2 is there twice"),
        (&["1", "other-text"], "text has the hash"),
        (
            &["1", "other-seeds"],
            "one is of the seeds 0..100, the other of the seeds 0..101",
        ),
        (&["1", "other-arm"], "of the arm refused"),
        (&["1", "other-count"], "of 3 shards"),
        (
            &["1", "other-scenario"],
            "the other of the scenario path-lost-update",
        ),
        (&["1", "other-models"], "win7 7"),
        (
            &["1", "other-format"],
            "other-format is a shard of version 2",
        ),
        (&["1", "cut"], "this is no shard"),
        (&["1", "not-json"], "not-json:1:"),
        (&["1", "empty"], "this is no shard"),
        (&["1", "repeated"], "counts more runs than it has seeds"),
        (&["1", "damaged"], "the list of bits is damaged"),
        (&["1", "missing"], "missing cannot be read"),
    ] {
        let says = lab.run(&[&["merge"], args].concat()).refuses(2);
        assert!(says.contains(expected), "{args:?}: {says}");
    }
}
