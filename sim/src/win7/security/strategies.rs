//! Property tests: identifiers, entries, descriptors and tokens, which shrink towards short and plain ones.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{Ace, AceType, Acl, Descriptor, Flags, Integrity, Mask, Privileges, Sid, Token};

/// Some that everybody knows, and some people.
pub fn sids() -> impl Strategy<Value = Sid> {
    let person = (1000u32..1004).prop_map(|rid| Sid::of(5, &[21, 1, 2, 3, rid]));
    let known = select(vec![
        Sid::EVERYONE,
        Sid::USERS,
        Sid::ADMINISTRATORS,
        Sid::SYSTEM,
        Sid::AUTHENTICATED_USERS,
        Sid::CREATOR_OWNER,
        Sid::OWNER_RIGHTS,
        Sid::TRUSTED_INSTALLER,
    ]);
    prop_oneof![4 => known, 2 => person]
}

/// Identifiers of any form.
pub fn any_sids() -> impl Strategy<Value = Sid> {
    let subs = vec(any::<u32>(), 1..=super::MAX_SUB_AUTHORITIES);
    (0u64..1 << 48, subs).prop_map(|(authority, subs)| Sid::of(authority, &subs))
}

/// Rights of a file or key, some of them generic.
pub fn masks() -> impl Strategy<Value = Mask> {
    prop_oneof![
        4 => select(vec![0x1F_01FF, 0x12_00A9, 0x13_01BF, 0x12_0089, 0x2, 0x4, 0x1_0000, 0x4_0000]).prop_map(Mask),
        2 => (0u32..0x20_0000).prop_map(|bits| Mask(bits & 0x1F_01FF)),
        1 => select(vec![0x1000_0000, 0xA000_0000, 0xE001_0000]).prop_map(Mask),
    ]
}

/// How an entry is inherited.
pub fn flags() -> impl Strategy<Value = Flags> {
    (0u8..32).prop_map(Flags)
}

/// Entries of a DACL.
pub fn aces() -> impl Strategy<Value = Ace> {
    let kind = prop_oneof![3 => Just(AceType::Allow), 1 => Just(AceType::Deny)];
    (kind, flags(), masks(), sids())
        .prop_map(|(kind, flags, mask, sid)| Ace::new(kind, flags, mask, sid))
}

/// DACLs: of up to six entries, empty, or NULL.
pub fn dacls() -> impl Strategy<Value = Acl> {
    let entries = option::weighted(0.95, vec(aces(), 0..=6));
    (any::<bool>(), any::<bool>(), entries).prop_map(|(is_protected, is_auto_inherited, aces)| {
        Acl {
            is_protected,
            wants_auto_inherit: false,
            is_auto_inherited,
            aces: aces.map(Into::into),
        }
    })
}

/// Descriptors with an owner, a group, mostly a DACL, and sometimes a label.
pub fn descriptors() -> impl Strategy<Value = Descriptor> {
    let level = select(vec![0x1000, 0x2000, 0x3000, 0x4000]);
    let label = (level, 1u32..8).prop_map(|(level, policy)| {
        Acl::new([Ace::new(
            AceType::Label,
            Flags::default(),
            Mask(policy),
            Sid::label(level),
        )])
    });
    (
        sids(),
        sids(),
        option::weighted(0.9, dacls()),
        option::weighted(0.2, label),
    )
        .prop_map(|(owner, group, dacl, sacl)| Descriptor {
            owner: Some(owner),
            group: Some(group),
            dacl,
            sacl,
        })
}

/// Tokens of some groups, of any level, without privileges.
pub fn tokens() -> impl Strategy<Value = Token> {
    let groups = subsequence(
        vec![
            Sid::EVERYONE,
            Sid::USERS,
            Sid::AUTHENTICATED_USERS,
            Sid::ADMINISTRATORS,
        ],
        0..=4,
    );
    let level = select(vec![
        Integrity::Low,
        Integrity::Medium,
        Integrity::High,
        Integrity::System,
    ]);
    (1000u32..1004, groups, any::<bool>(), level).prop_map(|(rid, groups, denies, integrity)| {
        let mut sids = vec![Sid::of(5, &[21, 1, 2, 3, rid])];
        sids.extend(groups);
        let is_administrator = sids.contains(&Sid::ADMINISTRATORS);
        Token {
            deny_only: match denies && !is_administrator {
                true => [Sid::ADMINISTRATORS].into(),
                false => [].into(),
            },
            integrity,
            ..Token::new(&sids, Privileges::default())
        }
    })
}
