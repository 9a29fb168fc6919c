//! Kernels: Debian's packages, fetched by apt, unpacked and cached, never installed; or a file of the user's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use faultlab_sim::linux::tcp;

use super::guard;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::win32_probe::{cache, unusable};
use crate::progress::Progress;

/// The kernel of a guest if none is asked for: that of Debian 12, which is 6.1.
pub const DEFAULT: &str = "linux-image-cloud-amd64/bookworm";

/// The package whose kernel is the nearest to one that the models know: Debian 13 has 6.12, whose tracepoints and
/// timers are those of 6.18 but for the first event of an accepted socket.
pub fn nearest_package(kernel: tcp::Kernel) -> &'static str {
    match kernel {
        tcp::Kernel::V6_1 => DEFAULT,
        tcp::Kernel::V6_18 => "linux-image-cloud-amd64/trixie",
    }
}

/// The suite of a package that comes without one.
const SUITE: &str = "bookworm";

/// Debian's packages, if the environment does not name another mirror.
const MIRROR: &str = "http://deb.debian.org/debian";

/// The variable of the environment that does.
const MIRROR_VARIABLE: &str = "FAULTLAB_DEBIAN_MIRROR";

/// With which Debian signs.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// How the folder of a finished kernel begins, and one under way.
const FINISHED: &str = "kernel-";
const UNDER_WAY: &str = "fetching-kernel-";

/// A kernel, and where its modules are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kernel {
    /// The bzImage.
    pub image: PathBuf,
    /// As `uname -r` says.
    pub release: String,
    /// `lib/modules/RELEASE`.
    pub modules: PathBuf,
}

/// What `--kernel` asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Wanted {
    Image(PathBuf),
    Package(PathBuf),
    Named { name: String, suite: String },
}

/// The kernel that is asked for: fetched, if it is not in the cache.
///
/// # Errors
/// It cannot be had, or is none.
pub fn find(asked: Option<&str>, progress: &Progress) -> Result<Kernel> {
    sweep(&cache()?);
    match wanted(asked.unwrap_or(DEFAULT))? {
        Wanted::Image(image) => of_image(image),
        wanted => {
            let folder = place(&wanted)?;
            if !folder.exists() {
                fetch(&wanted, &folder, progress)?;
            }
            in_folder(&folder)
        }
    }
}

/// The release of the kernel that would be booted, if it is in the cache.
pub fn cached(asked: Option<&str>) -> Option<String> {
    let kernel = match wanted(asked.unwrap_or(DEFAULT)).ok()? {
        Wanted::Image(image) => of_image(image),
        wanted => in_folder(&place(&wanted).ok()?),
    };
    kernel.ok().map(|kernel| kernel.release)
}

/// What lacks to fetch packages, in a word.
pub fn cannot_fetch() -> Option<&'static str> {
    let answers = |program: &str| {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .is_ok()
    };
    if !answers("apt-get") {
        return Some("apt-get");
    }
    (!answers("dpkg-deb")).then_some("dpkg-deb")
}

fn wanted(asked: &str) -> Result<Wanted> {
    let path = Path::new(asked);
    if path.is_file() {
        return Ok(match path.extension().is_some_and(|kind| kind == "deb") {
            true => Wanted::Package(path.into()),
            false => Wanted::Image(path.into()),
        });
    }
    let (name, suite) = asked.split_once('/').unwrap_or((asked, SUITE));
    let is_name = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        text.bytes().next().is_some_and(is_plain)
            && text
                .bytes()
                .all(|byte| is_plain(byte) || b"+-.".contains(&byte))
    };
    if !is_name(name) || !is_name(suite) {
        return Err(Failure::bad_input(format!("there is no kernel {asked:?}"))
            .help("a file (vmlinuz, or .deb), a package such as linux-image-cloud-amd64, or one of a suite: \
                   linux-image-cloud-amd64/trixie"));
    }
    Ok(Wanted::Named {
        name: name.into(),
        suite: suite.into(),
    })
}

/// Where it is in the cache.
fn place(wanted: &Wanted) -> Result<PathBuf> {
    let name = match wanted {
        Wanted::Named { name, suite } => format!("{FINISHED}{name}-{suite}"),
        Wanted::Package(path) | Wanted::Image(path) => {
            let failed = |error| unusable(path, &error);
            let whole = fs::canonicalize(path).map_err(failed)?;
            let about = fs::metadata(path).map_err(failed)?;
            let version = (whole, about.len(), about.modified().map_err(failed)?);
            let hash = faultlab_sim::engine::text_hash(&format!("{version:?}"));
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            format!("{FINISHED}{stem}-{hash:016x}")
        }
    };
    Ok(cache()?.join(name))
}

/// The kernel in an unpacked package: `boot/vmlinuz-RELEASE`, or, since 6.17, `vmlinuz` among its modules.
fn in_folder(folder: &Path) -> Result<Kernel> {
    let in_folder = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    let is_image = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("vmlinuz-")
    };
    if let Some(image) = in_folder(folder.join("boot")).find(is_image) {
        return of_image(image);
    }
    let mut modules = in_folder(folder.join("usr/lib/modules"));
    let image = modules.find_map(|modules| {
        let image = modules.join("vmlinuz");
        image.exists().then_some(image)
    });
    match image {
        Some(image) => of_image(image),
        None => {
            let what = format!("{}: there is no kernel in it", folder.display());
            Err(Failure::new(Exit::NoHost, what))
        }
    }
}

/// A bzImage, whose modules are where its package has them, or in /lib/modules.
fn of_image(image: PathBuf) -> Result<Kernel> {
    let bytes = fs::read(&image).map_err(|error| unusable(&image, &error))?;
    let Some(release) = release(&bytes) else {
        let what = format!("{}: this is no kernel for x86 (a bzImage)", image.display());
        return Err(Failure::bad_input(what));
    };
    let own = image.parent().unwrap_or(Path::new("/"));
    let beside = own.parent().unwrap_or(Path::new("/"));
    let usual = Path::new("/").join("lib/modules").join(&release);
    let modules = ["lib/modules", "usr/lib/modules"]
        .map(|folder| beside.join(folder).join(&release))
        .into_iter()
        .chain([own.to_owned()])
        .find(|folder| folder.join("modules.builtin").exists())
        .unwrap_or(usual);
    Ok(Kernel {
        image,
        release,
        modules,
    })
}

/// The release that a bzImage says it is. Source: the kernel's Documentation/arch/x86/boot.rst, `kernel_version`.
fn release(image: &[u8]) -> Option<String> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let field = image.get(0x20e..0x210)?;
    let at = usize::from(u16::from_le_bytes([field[0], field[1]])) + 0x200;
    let text = image.get(at..)?.split(|byte| *byte == 0).next()?;
    let text = std::str::from_utf8(text).ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

/// Puts a package's files into a folder of the cache.
fn fetch(wanted: &Wanted, folder: &Path, progress: &Progress) -> Result<()> {
    let cache = cache()?;
    let scratch = tempfile::Builder::new()
        .prefix(&format!("{UNDER_WAY}{}-", guard::this_process()))
        .tempdir_in(&cache)
        .map_err(|error| unusable(&cache, &error))?;
    let packages = match wanted {
        Wanted::Named { name, suite } => download(name, suite, scratch.path(), progress)?,
        Wanted::Package(path) | Wanted::Image(path) => vec![path.clone()],
    };
    progress.say("unpacking a kernel (once)");
    let unpacked = scratch.path().join("unpacked");
    for package in &packages {
        let mut command = guard::command("dpkg-deb");
        command.arg("-x").arg(package).arg(&unpacked);
        done("dpkg-deb", &mut command)?;
    }
    let boot = in_folder(&unpacked)?;
    super::modules::Modules::of(&boot.modules)?;
    match fs::rename(&unpacked, folder) {
        Ok(()) => Ok(()),
        // Whoever comes first wins: both have the same.
        Err(_) if folder.exists() => Ok(()),
        Err(error) => Err(unusable(folder, &error)),
    }
}

/// Fetches with apt, in a world of its own: neither the machine's sources nor its lists are touched, and no
/// rights are needed. What it takes is signed by Debian.
fn download(name: &str, suite: &str, scratch: &Path, progress: &Progress) -> Result<Vec<PathBuf>> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| unusable(&path, &error)
    };
    if !Path::new(KEYS).exists() {
        return Err(Failure::new(Exit::NoHost, format!("{KEYS} is not there"))
            .help("install it: apt-get install debian-archive-keyring"));
    }
    let mirror = std::env::var(MIRROR_VARIABLE).unwrap_or_else(|_| MIRROR.into());
    let sources = scratch.join("sources.list");
    let source = format!("deb [arch=amd64 signed-by={KEYS}] {mirror} {suite} main\n");
    fs::write(&sources, source).map_err(failed(&sources))?;
    fs::write(scratch.join("status"), "").map_err(failed(scratch))?;
    for folder in ["state/lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(scratch.join(folder)).map_err(failed(scratch))?;
    }
    let apt = |program: &str| {
        let mut command = guard::command(program);
        let at = |name: &str| scratch.join(name).display().to_string();
        let settings = [
            ("Dir::State", at("state")),
            ("Dir::State::status", at("status")),
            ("Dir::Cache", at("cache")),
            ("Dir::Etc::sourcelist", at("sources.list")),
            ("Dir::Etc::sourceparts", "/dev/null".into()),
            ("Dir::Etc::preferences", "/dev/null".into()),
            ("Dir::Etc::preferencesparts", "/dev/null".into()),
            ("APT::Architecture", "amd64".into()),
            ("APT::Architectures", "amd64".into()),
            ("APT::Default-Release", suite.into()),
            ("APT::Sandbox::User", String::new()),
            ("APT::Update::Error-Mode", "any".into()),
            ("Acquire::Languages", "none".into()),
            ("Acquire::Retries", "2".into()),
            ("Acquire::http::Timeout", "20".into()),
        ];
        command.arg("-q").current_dir(scratch);
        for (name, value) in settings {
            command.arg("-o").arg(format!("{name}={value}"));
        }
        command
    };
    progress.say(&format!("asking Debian for the packages of {suite} (once)"));
    done("apt-get", apt("apt-get").arg("update"))?;
    let packages = real_packages(name, suite, &mut || apt("apt-cache"))?;
    let first = packages.first().map_or(name, String::as_str);
    progress.say(&format!("fetching {first} (once, about 30 MB)"));
    done("apt-get", apt("apt-get").arg("download").args(&packages))?;
    let entries = fs::read_dir(scratch).map_err(failed(scratch))?;
    let files = entries.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|kind| kind == "deb"));
    let files: Vec<PathBuf> = files.collect();
    match files.len() == packages.len() {
        true => Ok(files),
        false => {
            let what = format!("apt-get download {}: a file lacks", packages.join(" "));
            Err(Failure::new(Exit::NoHost, what))
        }
    }
}

/// The packages with the kernel in them: `linux-image-cloud-amd64` only depends on one, and since 6.17 that one only
/// on others.
fn real_packages(name: &str, suite: &str, apt: &mut dyn FnMut() -> Command) -> Result<Vec<String>> {
    let mut show = |name: &str| {
        let shown = done(
            "apt-cache",
            apt().args(["show", "--no-all-versions"]).arg(name),
        );
        shown.map_err(|failure| {
            failure.help(format!(
                "is {name} a package of Debian's {suite}? https://packages.debian.org says"
            ))
        })
    };
    let shown = show(name)?;
    let (name, shown) = match depends(&shown, &["linux-image-"]).pop() {
        Some(kernel) => (kernel.clone(), show(&kernel)?),
        None => (name.to_owned(), shown),
    };
    let parts = depends(&shown, &PARTS);
    Ok(match parts.is_empty() {
        true => vec![name],
        false => parts,
    })
}

/// The parts of a kernel that is not one package: its bzImage, its modules, and the lists of both.
const PARTS: [&str; 3] = ["linux-binary-", "linux-modules-", "linux-base-"];

/// What the field `Depends` names of a kernel's packages that begin so. (`linux-base` belongs to no kernel.)
fn depends(shown: &str, begins: &[&str]) -> Vec<String> {
    let mut fields = shown.lines();
    let field = fields.find_map(|line| line.strip_prefix("Depends: "));
    let packages = field.unwrap_or_default().split(',');
    let packages = packages.filter_map(|package| package.split_whitespace().next());
    packages
        .filter(|package| begins.iter().any(|begin| package.starts_with(begin)))
        .map(str::to_owned)
        .collect()
}

/// What a command printed, if it succeeded.
fn done(program: &str, command: &mut Command) -> Result<String> {
    let ran = command.stdin(Stdio::null()).env("LC_ALL", "C").output();
    let Output {
        status,
        stdout,
        stderr,
    } = ran.map_err(|error| {
        Failure::new(Exit::NoHost, format!("{program}: {error}"))
            .help("kernels come as packages of Debian: on another system, use --kernel FILE")
    })?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&stderr);
    let what = format!("{program} fails ({status}): {}", said.trim());
    Err(Failure::new(Exit::NoHost, what).help(format!(
        "without a way to Debian's packages, use --kernel FILE, or name a mirror in {MIRROR_VARIABLE}"
    )))
}

/// Removes what processes that are gone left half fetched.
fn sweep(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(UNDER_WAY) else {
            continue;
        };
        if !guard::is_alive(rest) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_a_file_or_a_package_perhaps_of_a_suite() {
        let named = |name: &str, suite: &str| Wanted::Named {
            name: name.into(),
            suite: suite.into(),
        };
        let of = |text: &str| wanted(text).ok();
        assert_eq!(
            of("linux-image-amd64"),
            Some(named("linux-image-amd64", "bookworm"))
        );
        assert_eq!(
            of("linux-image-cloud-amd64/bookworm-backports"),
            Some(named("linux-image-cloud-amd64", "bookworm-backports"))
        );
        let file = tempfile::Builder::new()
            .suffix(".deb")
            .tempfile()
            .expect("a file");
        let path = file.path().to_str().expect("UTF-8");
        assert_eq!(of(path), Some(Wanted::Package(path.into())));
        for bad in [
            "",
            "/no/such/vmlinuz",
            "./vmlinuz",
            "A",
            "a b",
            "a/",
            "/b",
            "-x",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_image_says_its_release() {
        let mut image = vec![0; 0x400];
        assert_eq!(release(&image), None);
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        image[0x300..0x31d].copy_from_slice(b"6.1.0-57-cloud-amd64 (debian\0");
        assert_eq!(release(&image).as_deref(), Some("6.1.0-57-cloud-amd64"));
        image[0x20e..0x210].copy_from_slice(&0xffffu16.to_le_bytes());
        assert_eq!(release(&image), None);
        assert_eq!(release(b"MZ"), None);
    }

    #[test]
    fn a_package_without_a_kernel_names_the_one_with() {
        let meta = "Package: linux-image-cloud-amd64\n\
                    Depends: linux-image-6.1.0-57-cloud-amd64 (= 6.1.192-3)\nDescription: x\n";
        assert_eq!(
            depends(meta, &["linux-image-"]),
            ["linux-image-6.1.0-57-cloud-amd64"]
        );
        let real =
            "Package: linux-image-6.1.0-57-cloud-amd64\nDepends: kmod, linux-base (>= 4.3~)\n";
        assert!(depends(real, &["linux-image-"]).is_empty());
        assert!(depends(real, &PARTS).is_empty());
    }

    #[test]
    fn a_kernel_of_several_packages_names_them() {
        let split = "Package: linux-image-7.2.12+deb14-cloud-amd64\nDepends: dracut | initramfs-tools, \
                     linux-base-7.2.12+deb14-cloud-amd64 (= 7.2.12-1), linux-binary-7.2.12+deb14-cloud-amd64 (= 7.2.12-1), \
                     linux-modules-7.2.12+deb14-cloud-amd64 (= 7.2.12-1)\n";
        let expected = ["base", "binary", "modules"]
            .map(|part| format!("linux-{part}-7.2.12+deb14-cloud-amd64"));
        assert_eq!(depends(split, &PARTS), expected);
    }

    /// Where the packages of a kernel have it: in `boot`, or among its modules.
    #[test]
    fn a_kernel_is_found_where_its_packages_have_it() {
        let mut image = vec![0; 0x400];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        image[0x300..0x306].copy_from_slice(b"7.2.12");
        for (image_at, modules_at) in [
            ("boot/vmlinuz-7.2.12", "lib/modules/7.2.12"),
            ("usr/lib/modules/7.2.12/vmlinuz", "usr/lib/modules/7.2.12"),
        ] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (image_at, modules_at) =
                (folder.path().join(image_at), folder.path().join(modules_at));
            for folder in [image_at.parent().expect("it has one"), &modules_at] {
                fs::create_dir_all(folder).expect("writable");
            }
            fs::write(&image_at, &image).expect("writable");
            fs::write(modules_at.join("modules.builtin"), "").expect("writable");
            let kernel = in_folder(folder.path()).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(kernel.release, "7.2.12");
            assert_eq!((kernel.image, kernel.modules), (image_at, modules_at));
        }
        let empty = tempfile::tempdir().expect("a temporary folder");
        assert!(in_folder(empty.path()).is_err());
    }
}
