//! What Windows puts on its drive, as far as programs and scripts ask for it.

use std::collections::BTreeMap;

use super::{Actor, CreateDisposition, Files, OpenRequest, Share, new_descriptor};
use crate::win7::cmd::{kernel::executable, tools::TOOLS};
use crate::win7::ntfs::Node;
use crate::win7::registry::{Name, units};
use crate::win7::security::mask::{GENERIC_READ, GENERIC_WRITE};
use crate::win7::security::{Shared, Sid, Token, defaults};

/// Folders of a profile.
pub(super) const OF_PROFILES: [&str; 12] = [
    "AppData\\Local\\Temp",
    "AppData\\LocalLow",
    "AppData\\Roaming\\Microsoft\\Windows\\SendTo",
    "AppData\\Roaming\\Microsoft\\Windows\\Start Menu\\Programs\\Startup",
    "Desktop",
    "Documents",
    "Downloads",
    "Favorites",
    "Music",
    "Pictures",
    "Saved Games",
    "Videos",
];

/// Folders that have a descriptor of their own.
const OWN: [(&str, &str); 5] = [
    (
        "C:\\ProgramData\\Microsoft\\Windows\\Start Menu",
        defaults::START_MENU,
    ),
    ("C:\\Users\\Public", defaults::PUBLIC),
    ("C:\\Users\\Public\\Desktop", defaults::PUBLIC_DESKTOP),
    ("C:\\Windows\\System32\\config", defaults::HIVE_FOLDER),
    ("C:\\Windows\\SysWOW64\\config", defaults::HIVE_FOLDER),
];

/// Folders that a new machine has.
const FOLDERS: [&str; 16] = [
    "C:\\Program Files\\Common Files",
    "C:\\Program Files (x86)\\Common Files",
    "C:\\ProgramData\\Microsoft\\Windows\\Start Menu\\Programs\\Startup",
    "C:\\Users\\Default\\AppData\\Roaming",
    "C:\\Users\\Public\\Documents",
    "C:\\Users\\Public\\Downloads",
    "C:\\Windows\\Fonts",
    "C:\\Windows\\ServiceProfiles\\LocalService\\AppData\\Local\\Temp",
    "C:\\Windows\\ServiceProfiles\\NetworkService\\AppData\\Local\\Temp",
    "C:\\Windows\\System32\\config\\systemprofile\\AppData\\Local",
    "C:\\Windows\\System32\\config\\systemprofile\\AppData\\Roaming",
    "C:\\Windows\\System32\\drivers\\etc",
    "C:\\Windows\\SysWOW64\\config\\systemprofile\\AppData\\Local",
    "C:\\Windows\\SysWOW64\\drivers",
    "C:\\Windows\\inf",
    "C:\\Windows\\winsxs",
];

/// Files that a new machine has beside its programs.
const FILES: [(&str, &str); 10] = [
    ("C:\\Program Files\\Internet Explorer\\iexplore.exe", "MZ"),
    (
        "C:\\Program Files (x86)\\Internet Explorer\\iexplore.exe",
        "MZ",
    ),
    (
        "C:\\Windows\\System32\\drivers\\etc\\hosts",
        "# Names here go before DNS, which resolves localhost by itself.\r\n#\t127.0.0.1       localhost\r\n#\t::1             localhost\r\n",
    ),
    (
        "C:\\Windows\\System32\\drivers\\etc\\services",
        "http                80/tcp\r\nhttps              443/tcp\r\n",
    ),
    ("C:\\Windows\\System32\\kernel32.dll", "MZ"),
    ("C:\\Windows\\System32\\ntdll.dll", "MZ"),
    ("C:\\Windows\\System32\\shell32.dll", "MZ"),
    ("C:\\Windows\\SysWOW64\\kernel32.dll", "MZ"),
    ("C:\\Windows\\system.ini", "; for 16-bit app support\r\n"),
    ("C:\\Windows\\win.ini", "; for 16-bit app support\r\n"),
];

/// Hives of the running system: the registry has them open, and shares them with nobody.
const HIVES: [&str; 5] = ["DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"];

impl Files {
    /// The programs of [`crate::win7::cmd::tools`], for both bitnesses; those of one folder share a descriptor.
    pub(super) fn put_programs(&mut self, system: &Token) {
        let mut folders: BTreeMap<String, Shared> = BTreeMap::new();
        for folder in ["System32", "SysWOW64"] {
            for tool in TOOLS {
                let path = match tool.file.strip_prefix("..\\") {
                    Some(file) if folder == "System32" => format!("C:\\Windows\\{file}"),
                    Some(_) => continue,
                    None => format!("C:\\Windows\\{folder}\\{}", tool.file),
                };
                let (above, name) = path.rsplit_once('\\').expect("it is full");
                let descriptor = folders.entry(above.to_owned()).or_insert_with(|| {
                    self.make_tree(&Actor::new(system), &units(above))
                        .expect("it has a place");
                    let parent = self.look(above).expect("it was just made");
                    new_descriptor(system, parent.descriptor(), false).into()
                });
                let content = executable(tool.file);
                let file = Node::file(name.into(), descriptor.clone(), content.into());
                let place: Vec<Name> = above.split('\\').skip(1).map(Name::from).collect();
                let volume = self.drives.get_mut(&u16::from(b'C'));
                volume.expect("it is there").put(&place, file);
            }
        }
    }

    /// What scripts look for beside programs.
    pub(super) fn put_system(&mut self, system: &Token) {
        let actor = Actor::new(system);
        let make = |files: &mut Files, folder: &str| {
            let made = files.make_tree(&actor, &units(folder));
            made.expect("it has a place");
        };
        let own = OWN.map(|(folder, text)| (folder.to_owned(), defaults::descriptor(text)));
        let service = |name: &str, sid: &str| {
            let folder = format!("C:\\Windows\\ServiceProfiles\\{name}");
            (folder, defaults::profile(Sid::from(sid)))
        };
        let services = [
            service("LocalService", "S-1-5-19"),
            service("NetworkService", "S-1-5-20"),
        ];
        for (folder, descriptor) in own.into_iter().chain(services) {
            make(self, &folder);
            let set = |node: &mut Node| node.set_descriptor(descriptor.into());
            self.edit_outside(&units(&folder), set)
                .expect("it was just made");
        }
        for folder in FOLDERS {
            make(self, folder);
        }
        for (file, content) in FILES {
            let (folder, _) = file.rsplit_once('\\').expect("it is full");
            make(self, folder);
            let written = self.write_file(&actor, &units(file), content.as_bytes());
            written.expect("it has a place");
        }
        for hive in HIVES {
            let open = OpenRequest {
                access: GENERIC_READ | GENERIC_WRITE,
                share: Share(0),
                disposition: CreateDisposition::CreateNew,
                ..OpenRequest::default()
            };
            let opened = self.open(
                &actor,
                &units(&format!("C:\\Windows\\System32\\config\\{hive}")),
                open,
            );
            opened.expect("nothing is there yet");
        }
    }
}
