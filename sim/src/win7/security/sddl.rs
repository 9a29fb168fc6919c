//! The security descriptor definition language: ConvertStringSecurityDescriptorToSecurityDescriptor and back.
//!
//! Grammar: MS-DTYP 2.5.1. What Windows makes of odd texts (white space, letters in lower case, numbers
//! that are negative or too large) follows captures of the Samba project from real, newer Windows
//! (`python/samba/tests/sddl.py`); that Windows 7 does the same is inferred. Which of 87, 1336 and 1337 a
//! wrong text gets is inferred too.

mod read;
mod write;

use super::mask::Mask;
use super::sid::Sid;

/// Two letters for a well-known identifier, as Windows 7 knows them.
const WELL_KNOWN: [(&str, Sid); 44] = [
    ("AN", Sid::of(5, &[7])),
    ("AO", Sid::of(5, &[32, 548])),
    ("AU", Sid::AUTHENTICATED_USERS),
    ("BA", Sid::ADMINISTRATORS),
    ("BG", Sid::of(5, &[32, 546])),
    ("BO", Sid::of(5, &[32, 551])),
    ("BU", Sid::USERS),
    ("CD", Sid::of(5, &[32, 574])),
    ("CG", Sid::CREATOR_GROUP),
    ("CO", Sid::CREATOR_OWNER),
    ("CY", Sid::of(5, &[32, 569])),
    ("ED", Sid::of(5, &[9])),
    ("ER", Sid::of(5, &[32, 573])),
    ("HI", Sid::label(0x3000)),
    ("IS", Sid::of(5, &[32, 568])),
    ("IU", Sid::INTERACTIVE),
    ("LS", Sid::LOCAL_SERVICE),
    ("LU", Sid::of(5, &[32, 559])),
    ("LW", Sid::label(0x1000)),
    ("ME", Sid::label(0x2000)),
    ("MP", Sid::label(0x2100)),
    ("MU", Sid::of(5, &[32, 558])),
    ("NO", Sid::of(5, &[32, 556])),
    ("NS", Sid::NETWORK_SERVICE),
    ("NU", Sid::of(5, &[2])),
    ("OW", Sid::OWNER_RIGHTS),
    ("PO", Sid::of(5, &[32, 550])),
    ("PS", Sid::of(5, &[10])),
    ("PU", Sid::of(5, &[32, 547])),
    ("RC", Sid::of(5, &[12])),
    ("RD", Sid::of(5, &[32, 555])),
    ("RE", Sid::of(5, &[32, 552])),
    ("RS", Sid::of(5, &[32, 553])),
    ("RU", Sid::of(5, &[32, 554])),
    ("SI", Sid::label(0x4000)),
    ("SO", Sid::of(5, &[32, 549])),
    ("SU", Sid::SERVICE),
    ("SY", Sid::SYSTEM),
    ("WD", Sid::EVERYONE),
    ("WR", Sid::of(5, &[33])),
    // The machine's own accounts: this is the default machine's identifier.
    (
        "LA",
        Sid::of(5, &[21, 1004336348, 1177238915, 682003330, 500]),
    ),
    (
        "LG",
        Sid::of(5, &[21, 1004336348, 1177238915, 682003330, 501]),
    ),
    // Not in Windows 7, but nothing else has these letters, and exports of newer machines have them.
    ("AC", Sid::of(15, &[2, 1])),
    ("RA", Sid::of(5, &[32, 575])),
];

/// Rights with a name of their own, each one bit, in the order in which they are written.
const BITS: [(&str, Mask); 17] = [
    ("CC", Mask(0x1)),
    ("DC", Mask(0x2)),
    ("LC", Mask(0x4)),
    ("SW", Mask(0x8)),
    ("RP", Mask(0x10)),
    ("WP", Mask(0x20)),
    ("DT", Mask(0x40)),
    ("LO", Mask(0x80)),
    ("CR", Mask(0x100)),
    ("SD", Mask(0x1_0000)),
    ("RC", Mask(0x2_0000)),
    ("WD", Mask(0x4_0000)),
    ("WO", Mask(0x8_0000)),
    ("GA", Mask(0x1000_0000)),
    ("GX", Mask(0x2000_0000)),
    ("GW", Mask(0x4000_0000)),
    ("GR", Mask(0x8000_0000)),
];

/// Rights that are named together. For writing, the first that fits.
const TOGETHER: [(&str, Mask); 8] = [
    ("FA", Mask(0x1F_01FF)),
    ("FR", Mask(0x12_0089)),
    ("FW", Mask(0x12_0116)),
    ("FX", Mask(0x12_00A0)),
    ("KA", Mask(0xF_003F)),
    ("KR", Mask(0x2_0019)),
    ("KW", Mask(0x2_0006)),
    ("KX", Mask(0x2_0019)),
];

/// The policy of an integrity label.
pub(super) const POLICIES: [(&str, Mask); 3] = [("NW", Mask(1)), ("NR", Mask(2)), ("NX", Mask(4))];

/// What stands for a NULL list (Windows 7 and later).
const NULL_LIST: &str = "NO_ACCESS_CONTROL";

crate::win7::registry::error::errors! {
    /// ConvertStringSecurityDescriptorToSecurityDescriptor. Which text gets which code is inferred.
    SddlError {
        /// The text as a whole makes no sense.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// An entry or a list makes no sense.
        InvalidAcl = 1336 "ERROR_INVALID_ACL",
        /// An identifier makes no sense, or needs a domain.
        InvalidSid = 1337 "ERROR_INVALID_SID",
    }
}

#[cfg(test)]
mod tests {
    use super::super::acl::Descriptor;
    use super::SddlError;

    fn canonical(text: &str) -> Result<String, SddlError> {
        Descriptor::parse(text).map(|descriptor| descriptor.sddl())
    }

    #[test]
    fn odd_texts_that_windows_takes() {
        for (text, wanted) in [
            (
                "D:(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)",
                "D:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)",
            ),
            ("D:(A;;GA;;; S-1-3-4)", "D:(A;;GA;;;OW)"),
            ("D: (A;;GA;;;WD)", "D:(A;;GA;;;WD)"),
            ("D:(A;; GA;;;WD)", "D:(A;;GA;;;WD)"),
            ("D:(a;;ga;;;wd)", "D:(A;;GA;;;WD)"),
            ("D: S:", "D:S:"),
            (
                "D:P (A;;GA;;;WD) (A;;GX;;;BU)",
                "D:P(A;;GA;;;WD)(A;;GX;;;BU)",
            ),
            ("D:(A; ;GA; ; ;WD )", "D:(A;;GA;;;WD)"),
            ("  O:BA G:WD ", "O:BAG:WD"),
            ("O:S- 1- 2-3", "O:S-1-2-3"),
            ("S:D:P", "D:PS:"),
            ("D:AIPAR(A;;GA;;;SY)", "D:PARAI(A;;GA;;;SY)"),
            ("D:PARP(A;;GA;;;SY)", "D:PAR(A;;GA;;;SY)"),
            ("O:S-1-2-0x200D:", "O:S-1-2-512D:"),
            ("O:S-1-2-0x2D:(A;;GA;;;WD)", "O:S-1-2-2D:(A;;GA;;;WD)"),
            ("D:(A;;16;;;WD)", "D:(A;;RP;;;WD)"),
            ("D:(A;;123456789;;;WD)", "D:(A;;0x75bcd15;;;WD)"),
            ("D:(A;;0x123456789;;;WD)", "D:(A;;0xffffffff;;;WD)"),
            ("D:(A;;-99;;;WD)", "D:(A;;0xffffff9d;;;WD)"),
            ("D:(A;;-0xffffff55;;;WD)", "D:(A;;CCDCSWWPLO;;;WD)"),
            ("D:(A;;-9876543210;;;WD)", "D:(A;;CC;;;WD)"),
            ("D:(A;;;;;WD)", "D:(A;;;;;WD)"),
            (
                "S:(AU;SA;CR;;;WD)(AU;SA;CR;;;WD)",
                "S:(AU;SA;CR;;;WD)(AU;SA;CR;;;WD)",
            ),
            (
                "S:(OU;CISA;WP;F30E3BBE-9ff0-11d1-b603-0000f80367c1;bf967aa5-0de6-11d0-a285-00aa003049e2;WD)",
                "S:(OU;CISA;WP;f30e3bbe-9ff0-11d1-b603-0000f80367c1;bf967aa5-0de6-11d0-a285-00aa003049e2;WD)",
            ),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn texts_that_windows_refuses() {
        for text in [
            "Z:(A;;GA;;;SY)",
            "d:(A;;GA;;;WD)",
            "D",
            "D:((A;;GA;;;WD))",
            "D:(Antlers;;GA;;;SY)",
            "D:(A;;GA;;)",
            "D:(A;;GA;;WD)",
            "D:(A;;GA;;;WD;)",
            "D :S:",
            "D:P:S:",
            "D:S:D:",
            "D:(A;;GA;;;S-1-0x1313131313131-513)",
            "S:(AU;SA;CROOO;;;WD)",
            "D:(AU;SA;GA;;;WD)",
            "S:(A;;GA;;;WD)",
            "D:(A;;GA;a;;WD)",
            "D:(A;;GA;f30e3bbf-9ff0-11d1-b603-0000f80367c1;;WD)",
            "D:(OA;;GA; f30e3bbf-9ff0-11d1-b603-0000f80367c1;;WD)",
            "D:(OA;;GA;f30e3bbf-9ff0-11d1-b603-00potato67c1;;WD)",
            "D:(Ā;;GA;;;WD)",
            "D:(A;;123456789 ;;;WD)",
            "D:(A;;0x75bcd15\t;;;WD)",
            "D:(A;; 0x75bcd15;;;WD",
            "D:(A;;0x 75bcd15;;;WD)",
            "D:(A;;GA ;;;WD)",
            "D:(A;;GA;;;S-1-3-4 )",
            "D:(A;;GA;;;DA)",
            "S:(ML;;NW;;;BA)",
            "D:NO_ACCESS_CONTROL(A;;GA;;;WD)",
            "O:BAO:BA",
        ] {
            assert!(canonical(text).is_err(), "{text}: {:?}", canonical(text));
        }
    }

    #[test]
    fn the_letters_of_one_identifier_are_one() {
        for (at, (letters, sid)) in super::WELL_KNOWN.iter().enumerate() {
            let twice = super::WELL_KNOWN[..at]
                .iter()
                .any(|(other, of)| other == letters || of == sid);
            assert!(!twice, "{letters}");
        }
    }
}
