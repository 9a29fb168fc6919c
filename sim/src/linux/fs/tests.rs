use super::*;

fn birth(name: &str) -> InodeId {
    InodeId(name.into())
}

fn root() -> InodeId {
    InodeId::root()
}

fn with_two_versions() -> FileSystem {
    let mut fs = FileSystem::new();
    for version in ["1.21", "1.22"] {
        let path = format!("/usr/local/go{version}/bin/go");
        fs.add_program(&path, "go", Some(version)).unwrap();
    }
    fs.add_symlink("/usr/local/go", "go1.21").unwrap();
    fs
}

#[test]
fn a_relative_symlink_starts_at_its_own_directory() {
    let fs = with_two_versions();
    let place = fs
        .resolve(&root(), "/usr/local/go/bin/go", Last::Follow, None)
        .unwrap();
    assert_eq!(place.inode, Some(birth("/usr/local/go1.21/bin/go")));
    assert_eq!(
        fs.stat(&root(), "/usr/local/go", Last::Keep).unwrap().kind,
        Kind::Symlink
    );
    // A slash behind it follows the link even for lstat (path_resolution(7)).
    assert_eq!(
        fs.stat(&root(), "/usr/local/go/", Last::Keep).unwrap().kind,
        Kind::Directory
    );
}

#[test]
fn rename_over_a_symlink_replaces_the_link_itself() {
    let mut fs = with_two_versions();
    fs.symlink(&root(), "go1.22", "/usr/local/new", birth("p#1"))
        .unwrap();
    let gone = fs
        .rename(&root(), "/usr/local/new", "/usr/local/go", false)
        .unwrap();
    assert_eq!(gone, Some(birth("/usr/local/go")));
    assert_eq!(&*fs.readlink(&root(), "/usr/local/go").unwrap(), "go1.22");
    assert!(fs.stat(&root(), "/usr/local/go1.21", Last::Keep).is_ok());
    assert_eq!(
        fs.stat(&root(), "/usr/local/new", Last::Keep),
        Err(Errno::ENOENT)
    );
}

#[test]
fn a_loop_of_symlinks_is_eloop() {
    let mut fs = FileSystem::new();
    fs.add_symlink("/a", "b").unwrap();
    fs.add_symlink("/b", "a").unwrap();
    assert_eq!(fs.stat(&root(), "/a", Last::Follow), Err(Errno::ELOOP));
    assert_eq!(
        fs.stat(&root(), "/a", Last::Keep).unwrap().kind,
        Kind::Symlink
    );
}

#[test]
fn forty_links_resolve_and_forty_one_do_not() {
    let mut fs = FileSystem::new();
    fs.add_file("/end", b"").unwrap();
    fs.add_symlink("/l1", "end").unwrap();
    for n in 2..=41 {
        fs.add_symlink(&format!("/l{n}"), &format!("l{}", n - 1))
            .unwrap();
    }
    assert!(fs.stat(&root(), "/l40", Last::Follow).is_ok());
    assert_eq!(fs.stat(&root(), "/l41", Last::Follow), Err(Errno::ELOOP));
}

#[test]
fn open_creates_through_a_dangling_link_unless_exclusive() {
    let mut fs = FileSystem::new();
    fs.add_symlink("/tmp/link", "target").unwrap();
    let exclusive = OpenFlags {
        exclusive: true,
        ..OpenFlags::WRITE
    };
    assert_eq!(
        fs.open(&root(), "/tmp/link", exclusive, birth("p#1")),
        Err(Errno::EEXIST)
    );
    assert_eq!(
        fs.open(&root(), "/tmp/link", OpenFlags::WRITE, birth("p#1")),
        Ok((birth("p#1"), true))
    );
    assert!(fs.stat(&root(), "/tmp/target", Last::Keep).is_ok());
}

#[test]
fn an_unlinked_file_stays_until_released() {
    let mut fs = FileSystem::new();
    fs.add_file("/tmp/f", b"old").unwrap();
    let id = fs.unlink(&root(), "/tmp/f").unwrap();
    assert_eq!(&*fs.file(&id).unwrap().data, b"old");
    fs.release(&id);
    assert!(fs.file(&id).is_none());
}

#[test]
fn errors_are_those_of_the_man_pages() {
    let mut fs = with_two_versions();
    let r = root();
    assert_eq!(
        fs.mkdir(&r, "/usr/local/go", birth("p#1")),
        Err(Errno::EEXIST)
    );
    assert_eq!(fs.mkdir(&r, "/no/such", birth("p#1")), Err(Errno::ENOENT));
    assert_eq!(fs.unlink(&r, "/usr/local"), Err(Errno::EISDIR));
    assert_eq!(fs.rmdir(&r, "/usr/local"), Err(Errno::ENOTEMPTY));
    assert_eq!(fs.readlink(&r, "/usr"), Err(Errno::EINVAL));
    assert_eq!(
        fs.rename(&r, "/usr", "/usr/local/x", false),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        fs.rename(&r, "/usr/local/go", "/tmp", false),
        Err(Errno::EISDIR)
    );
    let go = "/usr/local/go1.21/bin/go";
    assert_eq!(
        fs.stat(&r, &format!("{go}/x"), Last::Follow),
        Err(Errno::ENOTDIR)
    );
    assert_eq!(fs.stat(&r, "", Last::Follow), Err(Errno::ENOENT));
    assert_eq!(
        fs.stat(&r, &"x".repeat(256), Last::Follow),
        Err(Errno::ENAMETOOLONG)
    );
    assert_eq!(fs.rename(&r, go, "/usr/local/go", true), Err(Errno::EEXIST));
}

#[test]
fn dot_dot_follows_the_physical_parent() {
    let mut fs = with_two_versions();
    let at = fs
        .resolve(&root(), "/usr/local/go/bin/..", Last::Follow, None)
        .unwrap()
        .found();
    assert_eq!(at, Ok(birth("/usr/local/go1.21")));
    fs.rename(&root(), "/usr/local/go1.21", "/tmp/moved", false)
        .unwrap();
    let here = birth("/usr/local/go1.21");
    assert_eq!(&*fs.path_of(&here).unwrap(), "/tmp/moved");
    assert_eq!(
        fs.resolve(&here, "..", Last::Follow, None).unwrap().found(),
        Ok(birth("/tmp"))
    );
}

#[test]
fn resolution_reports_every_entry_it_reads() {
    let fs = with_two_versions();
    let mut reads = Vec::new();
    fs.resolve(
        &root(),
        "/usr/local/go/bin/x",
        Last::Follow,
        Some(&mut reads),
    )
    .unwrap();
    let reads: Vec<&str> = reads.iter().map(|name| &**name).collect();
    assert_eq!(
        reads,
        [
            "/usr",
            "/usr/local",
            "/usr/local/go",
            "/usr/local/go1.21",
            "/usr/local/go1.21/bin",
            "/usr/local/go1.21/bin/x"
        ]
    );
}

#[test]
fn the_same_situation_by_two_orders_is_equal() {
    let steps = |order: [usize; 2]| {
        let mut fs = FileSystem::new();
        for n in order {
            fs.mkdir(&root(), &format!("/tmp/{n}"), birth(&format!("p{n}#1")))
                .unwrap();
        }
        fs
    };
    assert_eq!(steps([1, 2]), steps([2, 1]));
}
