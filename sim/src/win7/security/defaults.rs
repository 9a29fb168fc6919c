//! The descriptors that Windows 7 puts where it is installed.

use super::acl::Descriptor;
use super::sid::Sid;

/// TrustedInstaller, as SDDL has to write it.
const TI: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";

/// The root of the system volume: observed. There is no entry for CREATOR OWNER, and every authenticated user
/// has Modify below it: who creates `C:\Go` leaves it open to all. The High label is passed on to files alone,
/// and to no directory.
pub const SYSTEM_ROOT: &str = "O:{TI}G:{TI}D:PAI(A;;FA;;;BA)(A;OICIIO;GA;;;BA)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)(A;OICI;0x1200a9;;;BU)(A;OICIIO;SDGXGWGR;;;AU)(A;;LC;;;AU)S:(ML;OINPIO;NW;;;HI)";
/// `C:\Program Files`, `C:\Windows`: observed for the first.
pub const PROGRAM_FILES: &str = "O:{TI}G:{TI}D:PAI(A;;FA;;;{TI})(A;CIIO;GA;;;{TI})(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;OICIIO;GA;;;CO)";
/// The root of a volume that Windows 7 formatted.
pub const DATA_ROOT: &str = "O:BAG:SYD:AI(A;;FA;;;BA)(A;OICIIO;GA;;;BA)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;AU)(A;OICIIO;SDGXGWGR;;;AU)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)";
/// `C:\Users`: from memory.
pub const USERS: &str = "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)(A;;0x1200a9;;;WD)(A;OICIIO;GXGR;;;WD)";
/// `C:\ProgramData`: from memory.
pub const PROGRAM_DATA: &str = "O:SYG:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;DCLCRPCR;;;BU)";
/// `C:\Windows\Temp`: from memory.
pub const WINDOWS_TEMP: &str =
    "O:SYG:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;CI;0x100026;;;BU)";

/// `C:\Users\Public`, where everyone who works at the computer may write: from memory.
pub const PUBLIC: &str = "O:SYG:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301ff;;;IU)(A;OICI;0x1301ff;;;SU)(A;OICI;0x1301ff;;;S-1-5-3)";
/// `C:\Users\Public\Desktop`, which administrators alone fill: from memory.
pub const PUBLIC_DESKTOP: &str =
    "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;IU)(A;OICI;0x1200a9;;;SU)";
/// `C:\ProgramData\Microsoft\Windows\Start Menu`, of all users: from memory.
pub const START_MENU: &str =
    "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;OICI;0x1200a9;;;WD)";
/// `C:\Windows\System32\config`, where the hives are: nobody else may so much as look, which scripts use to ask
/// whether they run as administrator.
pub const HIVE_FOLDER: &str = "O:SYG:SYD:PAI(A;OICIIO;GA;;;CO)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

/// `HKLM\SOFTWARE`: inferred from that of Windows 8, less its entries for packages.
pub const KEY_SOFTWARE: &str = "O:BAG:SYD:PAI(A;CIIO;GA;;;CO)(A;;KA;;;SY)(A;CIIO;GA;;;SY)(A;;KA;;;BA)(A;CIIO;GA;;;BA)(A;;KR;;;BU)(A;CIIO;GR;;;BU)";
/// `HKLM\SYSTEM`, and what else of HKLM everybody may read: inferred.
pub const KEY_MACHINE: &str =
    "O:BAG:SYD:PAI(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CI;KR;;;WD)(A;CI;KR;;;RC)";
/// `HKLM\SAM`, `HKLM\SECURITY`: administrators' here as far as the model goes; really SYSTEM's alone.
pub const KEY_SECRET: &str = "O:BAG:SYD:PAI(A;CI;KA;;;SY)(A;CI;KA;;;BA)";
/// `HKU\.DEFAULT`, which is LocalSystem's: inferred.
pub const KEY_DEFAULT_USER: &str =
    "O:BAG:SYD:PAI(A;CI;KR;;;BU)(A;CI;KA;;;BA)(A;CI;KA;;;SY)(A;CIIO;KA;;;CO)";

/// A descriptor of this module.
///
/// # Panics
/// If the text is wrong, which a test excludes.
pub fn descriptor(text: &str) -> Descriptor {
    Descriptor::from(&*text.replace("{TI}", TI))
}

/// The profile of a user, `C:\Users\NAME`: from memory.
pub fn profile(user: Sid) -> Descriptor {
    let text = "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{USER})";
    Descriptor::from(&*text.replace("{USER}", &user.sddl()))
}

/// The hive of a user, `HKU\SID`: from memory.
pub fn hive(user: Sid) -> Descriptor {
    let text = "O:BAG:SYD:PAI(A;CI;KA;;;{USER})(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;RC)";
    Descriptor::from(&*text.replace("{USER}", &user.sddl()))
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Mask, Token, access_check};
    use super::*;

    #[test]
    fn what_a_standard_user_may_by_default() {
        let alice = Sid::from("S-1-5-21-1-2-3-1001");
        let token = Token::standard_user(alice);
        for (place, kind, may, may_not) in [
            (descriptor(SYSTEM_ROOT), Kind::File, 0x1200ad, 0x2),
            (descriptor(PROGRAM_FILES), Kind::File, 0x1200a9, 0x2),
            (descriptor(DATA_ROOT), Kind::File, 0x1301bf, 0x4_0000),
            (descriptor(USERS), Kind::File, 0x1200a9, 0x4),
            (descriptor(PROGRAM_DATA), Kind::File, 0x1201bf, 0x1_0000),
            (descriptor(WINDOWS_TEMP), Kind::File, 0x100026, 0x1),
            (descriptor(HIVE_FOLDER), Kind::File, 0, 0x2_0000),
            (descriptor(PUBLIC), Kind::File, 0x1301ff, 0x4_0000),
            (descriptor(PUBLIC_DESKTOP), Kind::File, 0x1200a9, 0x2),
            (descriptor(START_MENU), Kind::File, 0x1200a9, 0x2),
            (profile(alice), Kind::File, 0x1f01ff, 0x100_0000),
            (descriptor(KEY_SOFTWARE), Kind::Key, 0x20019, 0x2),
            (descriptor(KEY_MACHINE), Kind::Key, 0x20019, 0x2),
            (descriptor(KEY_SECRET), Kind::Key, 0, 0x1),
            (descriptor(KEY_DEFAULT_USER), Kind::Key, 0x20019, 0x2),
            (hive(alice), Kind::Key, 0xf003f, 0x100_0000),
        ] {
            assert_eq!(
                access_check(&token, &place, kind, Mask(may)),
                Ok(Mask(may)),
                "{place}"
            );
            assert!(
                access_check(&token, &place, kind, Mask(may_not)).is_err(),
                "{place}"
            );
        }
    }
}
