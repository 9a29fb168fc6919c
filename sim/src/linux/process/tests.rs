use super::super::fs::FileSystem;
use super::super::syscall::OpenFlags;
use super::*;

/// A program that makes the calls it was given, one after the other; after a fork the child goes on with its own list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Scripted {
    calls: Vec<Call>,
    results: Vec<SysResult>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Call {
    Make(Syscall),
    Fork(Vec<Call>),
    SetEnv(&'static str, &'static str),
}

use Call::Make;

impl Image for Scripted {
    fn load(executable: &Executable, _: &Memory) -> Option<Self> {
        (&*executable.image == "scripted").then(Self::default)
    }

    fn resume(&mut self, memory: &mut Memory, result: SysResult) -> Syscall {
        if result == SysResult::ForkedChild
            && let Some(Call::Fork(own)) = self.calls.first().cloned()
        {
            *self = Self {
                calls: own,
                results: Vec::new(),
            };
        } else if result != SysResult::Start {
            self.results.push(result);
            self.calls.remove(0);
        }
        while let Some(Call::SetEnv(name, value)) = self.calls.first().cloned() {
            Arc::make_mut(&mut memory.env).insert(name.into(), value.into());
            self.calls.remove(0);
        }
        match self.calls.first() {
            Some(Make(call)) => call.clone(),
            Some(Call::Fork(_)) => Syscall::Fork {
                label: "child".into(),
            },
            _ => Syscall::Exit(0),
        }
    }
}

fn start(fs: FileSystem, calls: Vec<Call>) -> Processes<Scripted> {
    let mut fs = fs;
    fs.add_program("/p", "scripted", None).unwrap();
    let mut all = Processes::new(fs);
    let spawn = Spawn {
        name: "p".into(),
        path: "/p".into(),
        argv: vec!["p".into()],
        env: Arc::new(BTreeMap::from([("HOME".into(), "/home/u".into())])),
        cwd: "/tmp".into(),
        stdin: None,
    };
    all.spawn(spawn).unwrap();
    // `load` gives an empty list.
    let process = Arc::make_mut(all.table.get_mut("p").unwrap());
    let mut image = Scripted {
        calls,
        results: Vec::new(),
    };
    let pending = image.resume(&mut process.memory, SysResult::Start);
    process.life = Life::Running {
        image,
        pending,
        written: 0,
    };
    all
}

fn step(all: &mut Processes<Scripted>, name: &str, count: usize) -> Vec<Effect> {
    (0..count)
        .flat_map(|_| all.perform(name).unwrap().effects)
        .collect()
}

fn results(all: &Processes<Scripted>, name: &str) -> Vec<SysResult> {
    all.image(name).unwrap().results.clone()
}

fn write(fd: Fd, text: &str) -> Call {
    Make(Syscall::Write {
        fd,
        data: text.as_bytes().into(),
    })
}

fn read(fd: Fd) -> Call {
    Make(Syscall::Read { fd, max: 100_000 })
}

fn close(fd: Fd) -> Call {
    Make(Syscall::Close { fd })
}

fn data(text: &str) -> SysResult {
    SysResult::Data(text.as_bytes().into())
}

#[test]
fn a_child_has_its_own_copy_of_the_environment() {
    let child = vec![Call::SetEnv("A", "child"), read(0), read(0)];
    let mut all = start(
        FileSystem::new(),
        vec![Call::Fork(child), Call::SetEnv("A", "parent"), read(0)],
    );
    step(&mut all, "p", 1);
    assert_eq!(
        all.memory("p").unwrap().env.get("A"),
        Some(&"parent".into())
    );
    assert_eq!(
        all.memory("p/child-1").unwrap().env.get("A"),
        Some(&"child".into())
    );
}

#[test]
fn exec_hands_over_what_it_was_given_and_nothing_else() {
    let env: Env = Arc::new(BTreeMap::from([("B".into(), "2".into())]));
    let argv: Arc<[Text]> = Arc::from(["x".into(), "y".into()]);
    let call = Syscall::Exec {
        path: "/p".into(),
        argv: argv.clone(),
        env: env.clone(),
    };
    let mut all = start(FileSystem::new(), vec![Call::SetEnv("A", "1"), Make(call)]);
    let effects = step(&mut all, "p", 1);
    assert!(matches!(&effects[0], Effect::Executed { image, .. } if &**image == "scripted"));
    assert_eq!(all.memory("p").unwrap().env, env);
    assert_eq!(all.memory("p").unwrap().argv, argv);
}

#[test]
fn exec_errors_are_those_of_execve() {
    let mut fs = FileSystem::new();
    fs.add_file("/tmp/data", b"").unwrap();
    fs.add_script("/tmp/text", b"echo").unwrap();
    fs.add_script("/tmp/missing", b"#!/nope\n").unwrap();
    fs.add_script("/tmp/loop", b"#!/tmp/loop\n").unwrap();
    fs.add_script("/tmp/good", b"#! /p  one argument \n")
        .unwrap();
    let exec = |path: &str| {
        let argv = Arc::from(["a0".into(), "a1".into()]);
        Make(Syscall::Exec {
            path: path.into(),
            argv,
            env: Env::default(),
        })
    };
    let paths = [
        "/tmp/data",
        "/tmp/text",
        "/tmp/missing",
        "/tmp/loop",
        "/tmp",
        "nope",
        "/tmp/good",
    ];
    let mut all = start(fs, paths.into_iter().map(exec).collect());
    step(&mut all, "p", 6);
    use Errno::*;
    let errors = [EACCES, ENOEXEC, ENOENT, ELOOP, EACCES, ENOENT];
    assert_eq!(results(&all, "p"), errors.map(SysResult::Failed));
    step(&mut all, "p", 1);
    let argv: Vec<&str> = all
        .memory("p")
        .unwrap()
        .argv
        .iter()
        .map(|word| &**word)
        .collect();
    assert_eq!(argv, ["/p", "one argument", "/tmp/good", "a1"]);
}

#[test]
fn a_reader_sees_the_end_when_the_last_writer_has_closed() {
    let child = vec![close(3), write(4, "x"), close(4)];
    let parent = vec![
        Make(Syscall::Pipe),
        Call::Fork(child),
        close(4),
        read(3),
        read(3),
    ];
    let mut all = start(FileSystem::new(), parent);
    step(&mut all, "p", 3);
    assert_eq!(
        all.perform("p"),
        Err(NotEnabled::Blocked("the pipe is empty"))
    );
    assert_eq!(all.enabled(), ["p/child-1".into()]);
    step(&mut all, "p/child-1", 2);
    step(&mut all, "p", 1);
    // The child still holds the other end.
    assert_eq!(
        all.blocked("p"),
        Some(NotEnabled::Blocked("the pipe is empty"))
    );
    step(&mut all, "p/child-1", 1);
    step(&mut all, "p", 1);
    assert_eq!(results(&all, "p")[3..], [data("x"), data("")]);
}

#[test]
fn a_write_without_readers_kills() {
    let mut all = start(
        FileSystem::new(),
        vec![Make(Syscall::Pipe), close(3), write(4, "x")],
    );
    step(&mut all, "p", 2);
    let effects = step(&mut all, "p", 1);
    let status = ExitStatus::Killed(Signal::Pipe);
    assert_eq!(
        effects,
        [
            Effect::Failed {
                errno: Errno::EPIPE
            },
            Effect::Exited { status }
        ]
    );
    assert_eq!(all.ended().get("p"), Some(&status));
    assert_eq!(status.shell_status(), 141);
    assert!(all.pipes.is_empty() && all.descriptions.is_empty() && all.table.is_empty());
}

#[test]
fn a_pipe_holds_65536_bytes_and_small_writes_are_atomic() {
    let large = "x".repeat(PIPE_CAPACITY - 10);
    let child = vec![read(3), read(3), read(3)];
    let small = write(4, &"y".repeat(11));
    let huge = write(4, &"z".repeat(PIPE_CAPACITY + 5));
    let parent = vec![
        Make(Syscall::Pipe),
        Call::Fork(child),
        write(4, &large),
        small,
        huge,
    ];
    let mut all = start(FileSystem::new(), parent);
    step(&mut all, "p", 3);
    assert_eq!(
        all.blocked("p"),
        Some(NotEnabled::Blocked("the pipe is full"))
    );
    step(&mut all, "p/child-1", 1);
    step(&mut all, "p", 1);
    // More than a pipe holds: written in pieces, and only then answered.
    step(&mut all, "p", 1);
    assert_eq!(
        all.blocked("p"),
        Some(NotEnabled::Blocked("the pipe is full"))
    );
    step(&mut all, "p/child-1", 1);
    step(&mut all, "p", 1);
    let whole = SysResult::Count(PIPE_CAPACITY as u64 + 5);
    assert_eq!(results(&all, "p").last(), Some(&whole));
}

#[test]
fn an_open_file_outlives_its_name_and_a_replaced_one_is_still_the_old_one() {
    let mut fs = FileSystem::new();
    fs.add_file("/tmp/a", b"old").unwrap();
    fs.add_file("/tmp/b", b"new").unwrap();
    let open = || {
        Make(Syscall::Open {
            path: "a".into(),
            flags: OpenFlags::READ,
        })
    };
    let rename = Make(Syscall::Rename {
        from: "b".into(),
        to: "a".into(),
        no_replace: false,
    });
    let mut all = start(
        fs,
        vec![open(), rename, open(), read(3), read(4), close(3), close(4)],
    );
    step(&mut all, "p", 5);
    assert_eq!(results(&all, "p")[3..], [data("old"), data("new")]);
    assert!(all.fs.file(&InodeId("/tmp/a".into())).is_some());
    step(&mut all, "p", 1);
    // The last holder of the old one has closed it.
    assert!(all.fs.file(&InodeId("/tmp/a".into())).is_none());
}

#[test]
fn wait_reaps_the_first_born_and_orphans_leave_nothing() {
    let child = |code| vec![Make(Syscall::Exit(code))];
    let wait = || Make(Syscall::Wait(WaitFor::Any));
    let orphan = vec![Call::Fork(child(9)), Make(Syscall::Exit(3))];
    let parent = vec![
        Call::Fork(child(1)),
        Call::Fork(orphan),
        wait(),
        wait(),
        wait(),
    ];
    let mut all = start(FileSystem::new(), parent);
    step(&mut all, "p", 2);
    step(&mut all, "p/child-2", 2);
    step(&mut all, "p/child-1", 1);
    step(&mut all, "p", 3);
    let reaped = |child: &str, code| SysResult::Reaped {
        child: child.into(),
        status: ExitStatus::Exited(code),
    };
    assert_eq!(
        results(&all, "p")[2..],
        [
            reaped("p/child-1", 1),
            reaped("p/child-2", 3),
            SysResult::Failed(Errno::ECHILD)
        ]
    );
    assert_eq!(all.parent("p/child-2/child-1"), None);
    step(&mut all, "p/child-2/child-1", 1);
    assert_eq!(all.living().count(), 1);
}

#[test]
fn offsets_are_shared_after_fork_and_appends_go_to_the_end() {
    let mut fs = FileSystem::new();
    fs.add_file("/tmp/f", b"abcdef").unwrap();
    let two = || Make(Syscall::Read { fd: 3, max: 2 });
    let open = |flags| {
        Make(Syscall::Open {
            path: "f".into(),
            flags,
        })
    };
    let parent = vec![
        open(OpenFlags::READ),
        Call::Fork(vec![two()]),
        two(),
        open(OpenFlags::APPEND),
        write(4, "!"),
    ];
    let mut all = start(fs, parent);
    step(&mut all, "p", 2);
    step(&mut all, "p/child-1", 1);
    assert_eq!(results(&all, "p/child-1"), [data("ab")]);
    step(&mut all, "p", 3);
    assert_eq!(results(&all, "p")[2], data("cd"));
    assert_eq!(
        &*all.fs.file(&InodeId("/tmp/f".into())).unwrap().data,
        b"abcdef!"
    );
}

#[test]
fn sleep_is_for_the_owner_of_time() {
    let mut all = start(
        FileSystem::new(),
        vec![Make(Syscall::Nanosleep(5)), read(0)],
    );
    assert_eq!(step(&mut all, "p", 1), [Effect::Sleeps { nanoseconds: 5 }]);
    assert_eq!(all.blocked("p"), Some(NotEnabled::Asleep));
    all.wake("p").unwrap();
    assert_eq!(results(&all, "p"), [SysResult::Done]);
}

#[test]
fn pending_calls_have_names_that_do_not_change_with_the_user() {
    let calls = vec![
        Make(Syscall::Readlink("/usr/local/go".into())),
        Make(Syscall::Mkdir("/home/u/x".into())),
        write(1, "x"),
        Call::Fork(vec![]),
    ];
    let mut all = start(FileSystem::new(), calls);
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(all.pending_op("p").unwrap());
        step(&mut all, "p", 1);
    }
    let expected = [
        ("readlink", "/usr/local/go"),
        ("mkdir", "~/x"),
        ("write", "stdout"),
        ("fork", ""),
    ];
    assert_eq!(names, expected.map(|(verb, object)| (verb, object.into())));
}

#[test]
fn two_orders_to_the_same_situation_give_equal_states() {
    let child = |path: &str| vec![Make(Syscall::Mkdir(path.into())), read(0)];
    let parent = vec![Call::Fork(child("a")), Call::Fork(child("b")), read(0)];
    let run = |order: [&str; 2]| {
        let mut all = start(FileSystem::new(), parent.clone());
        step(&mut all, "p", 2);
        for name in order {
            step(&mut all, name, 1);
        }
        all
    };
    assert_eq!(
        run(["p/child-1", "p/child-2"]),
        run(["p/child-2", "p/child-1"])
    );
}
