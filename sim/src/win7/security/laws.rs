//! Laws, for any descriptor and token.

use proptest::collection::vec;
use proptest::prelude::*;

use super::strategies::{aces, any_sids, descriptors, flags, masks, tokens};
use super::{
    Ace, AceType, Acl, Descriptor, Flags, Kind, Mask, NewObject, Sid, Token, access_check, explain,
    file_access_check, reinherited,
};

/// All that a token gets.
fn most(token: &Token, descriptor: &Descriptor) -> Mask {
    access_check(token, descriptor, Kind::File, Mask(0x200_0000)).unwrap_or_default()
}

fn with_ace(descriptor: &Descriptor, ace: Ace, at_front: bool) -> Descriptor {
    let mut with = descriptor.clone();
    if let Some(dacl) = &mut with.dacl
        && let Some(aces) = &dacl.aces
    {
        let mut aces = aces.to_vec();
        aces.insert(if at_front { 0 } else { aces.len() }, ace);
        dacl.aces = Some(aces.into());
    }
    with
}

proptest! {
    #[test]
    fn a_descriptor_is_what_its_text_says(descriptor in descriptors()) {
        let text = descriptor.sddl();
        prop_assert_eq!(Descriptor::parse(&text), Ok(descriptor), "{}", text);
    }

    #[test]
    fn an_identifier_is_what_its_text_says(sid in any_sids()) {
        prop_assert_eq!(Sid::parse(&sid.to_string()), Some(sid));
    }

    #[test]
    fn any_entry_is_what_its_text_says(
        mask in any::<u32>(), flags in flags(), sid in any_sids(), of in any::<Option<u128>>(),
        inherited_by in any::<Option<u128>>(), which in 0..AceType::ALL.len(),
    ) {
        let (kind, _) = AceType::ALL[which];
        let objects = super::acl::ObjectTypes { of, inherited_by };
        let mut ace = Ace::new(kind, flags, Mask(mask), sid);
        if kind.is_of_objects() && objects != Default::default() {
            ace.objects = Some(Box::new(objects));
        }
        if kind == AceType::Label {
            ace.sid = Sid::label(mask);
        }
        prop_assert_eq!(Descriptor::parse_ace(&ace.to_string()), Ok(ace));
    }

    /// Reading never panics, and what it takes it writes in a form that it takes again.
    #[test]
    fn every_text_has_an_answer(text in "[OGDS]?:?[(); a-zA-Z0-9x-]{0,60}") {
        if let Ok(read) = Descriptor::parse(&text) {
            let again = Descriptor::parse(&read.sddl());
            prop_assert_eq!(again.as_ref(), Ok(&read), "{}", text);
        }
    }

    #[test]
    fn every_string_has_an_answer(text in ".{0,80}") {
        let _ = (Descriptor::parse(&text), Sid::parse(&text), Descriptor::parse_ace(&text));
    }

    /// What is allowed at most is what is allowed bit by bit.
    #[test]
    fn maximum_allowed_is_all_that_is_granted_by_itself(token in tokens(), descriptor in descriptors()) {
        let most = most(&token, &descriptor);
        for bit in Kind::File.all().bits() {
            let alone = access_check(&token, &descriptor, Kind::File, bit).is_ok();
            prop_assert_eq!(alone, most.has(bit), "{:?}", bit);
        }
    }

    #[test]
    fn allowing_more_takes_nothing_away(token in tokens(), descriptor in descriptors(), ace in aces()) {
        let allow = Ace { kind: AceType::Allow, ..ace };
        // An entry for OWNER RIGHTS is the one that takes away: what the owner had anyway.
        prop_assume!(allow.sid != Sid::OWNER_RIGHTS);
        let more = most(&token, &with_ace(&descriptor, allow, false));
        prop_assert!(more.has(most(&token, &descriptor)));
    }

    #[test]
    fn denying_more_gives_nothing(token in tokens(), descriptor in descriptors(), ace in aces()) {
        let deny = Ace { kind: AceType::Deny, ..ace };
        let less = most(&token, &with_ace(&descriptor, deny, true));
        prop_assert!(most(&token, &descriptor).has(less));
    }

    #[test]
    fn asking_for_less_is_granted_too(token in tokens(), descriptor in descriptors(), ask in masks(), less in masks()) {
        if let Ok(granted) = access_check(&token, &descriptor, Kind::File, ask) {
            prop_assert_eq!(granted, Kind::File.map(ask));
            let part = Kind::File.map(ask) & Kind::File.map(less);
            prop_assert_eq!(access_check(&token, &descriptor, Kind::File, part), Ok(part));
        }
    }

    #[test]
    fn an_explanation_ends_as_the_check_does(
        token in tokens(), descriptor in descriptors(), parent in descriptors(), ask in masks(), has_parent in any::<bool>(),
    ) {
        let parent = has_parent.then_some(&parent);
        let explained = explain(&token, &descriptor, parent, Kind::File, ask);
        let checked = file_access_check(&token, &descriptor, parent, ask);
        prop_assert_eq!(explained.result.is_ok(), checked.is_ok(), "{}", explained);
        if let (Ok(one), Ok(other)) = (&explained.result, &checked) {
            prop_assert_eq!(one, other);
        }
    }

    /// What a child has after its entries were inherited anew, it has after doing so again.
    #[test]
    fn inheriting_is_idempotent(child in descriptors(), parent in descriptors(), container in any::<bool>()) {
        let once = reinherited(&child, &parent, container, Kind::File);
        prop_assert_eq!(&reinherited(&once, &parent, container, Kind::File), &once);
    }

    /// A new object is as if its entries had been inherited already, if it inherits anything at all.
    #[test]
    fn a_new_object_needs_no_propagation(parent in descriptors(), token in tokens(), container in any::<bool>()) {
        let mut parent = parent;
        if let Some(dacl) = &mut parent.dacl {
            dacl.is_auto_inherited = true;
        }
        let new = NewObject {
            parent: Some(&parent),
            creator: None,
            is_container: container,
            kind: Kind::File,
            owner: token.owner,
            group: token.group,
            default_dacl: None,
        };
        let new = new.descriptor();
        if new.aces().is_some() {
            prop_assert_eq!(&reinherited(&new, &parent, container, Kind::File), &new);
        }
    }

    /// On a file nothing is left to be inherited further, and generic rights and stand-ins are gone.
    #[test]
    fn what_a_file_inherits_counts_there(entries in vec(aces(), 1..6), token in tokens()) {
        let parent = Descriptor { dacl: Some(Acl::new(entries)), ..Descriptor::default() };
        let new = NewObject {
            parent: Some(&parent),
            creator: None,
            is_container: false,
            kind: Kind::File,
            owner: token.owner,
            group: token.group,
            default_dacl: None,
        };
        for ace in new.descriptor().aces().unwrap_or_default() {
            prop_assert!(ace.flags == Flags::default() && ace.mask.0 < 0x1000_0000);
            prop_assert!(ace.sid != Sid::CREATOR_OWNER);
        }
    }
}
