//! `whoami`: who the process runs as.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `domain\user` in lower case, the computer's name for local accounts | documentation; observed | yes |
//! | LocalSystem is `nt authority\system`, the service accounts likewise | observed | yes |

use crate::win7::cmd::sys::{Asked, Sys};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    if let Some(option) = arguments.first() {
        return sys.unsupported(&format!("whoami {option}"));
    }
    let name = match &*sys.about.user.clone() {
        "SYSTEM" => "nt authority\\system".to_owned(),
        "LocalService" => "nt authority\\local service".to_owned(),
        "NetworkService" => "nt authority\\network service".to_owned(),
        person => {
            let computer = sys.variable("COMPUTERNAME").unwrap_or_default();
            let person = person.trim_end_matches("-filtered");
            format!("{computer}\\{person}").to_lowercase()
        }
    };
    sys.line(&name)?;
    Ok(0)
}
