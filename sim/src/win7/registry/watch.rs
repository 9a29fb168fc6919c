//! Change notification: RegNotifyChangeKeyValue.

use super::Registry;
use super::access::Access;
use super::error::NotifyError;
use super::handle::Handle;
use super::name::SEPARATOR;
use super::view::is_below;

/// Which changes a watch is about: the bits of RegNotifyChangeKeyValue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Filter(pub u32);

impl Filter {
    /// A subkey was added or deleted.
    pub const NAME: Filter = Filter(1);
    /// Attributes of the key changed, such as its security descriptor.
    pub const ATTRIBUTES: Filter = Filter(2);
    /// A value was set or deleted.
    pub const LAST_SET: Filter = Filter(4);
    /// The security descriptor changed.
    pub const SECURITY: Filter = Filter(8);

    /// Whether one of the bits of `other` is here.
    pub fn meets(self, other: Filter) -> bool {
        self.0 & other.0 != 0
    }
}

/// An event object that a program waits for, by a number of its own choosing. It resets itself when the
/// wait is satisfied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Event(pub u32);

/// A call that waits for its one change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Armed {
    pub(super) handle: Handle,
    event: Event,
}

impl Registry {
    /// RegNotifyChangeKeyValue, asynchronous: `event` is signalled at the next change, once. The first
    /// call on a handle fixes filter and subtree for all that follow on that handle.
    ///
    /// # Errors
    /// Without KEY_NOTIFY; for a bit that Windows 7 does not know; for a bad handle.
    pub fn notify(
        &mut self,
        handle: Handle,
        subtree: bool,
        filter: Filter,
        event: Event,
    ) -> Result<(), NotifyError> {
        let open = self.live(handle)?;
        if !open.access.has(Access::NOTIFY) {
            return Err(NotifyError::AccessDenied);
        }
        if filter.0 & !0xF != 0 {
            return Err(NotifyError::InvalidParameter);
        }
        let open = self
            .handles
            .get_mut(&handle)
            .expect("a live handle is in the table");
        open.watches.get_or_insert((filter, subtree));
        let armed = Armed { handle, event };
        let at = self.armed.partition_point(|other| *other < armed);
        self.armed.insert(at, armed);
        Ok(())
    }

    /// Whether an event is signalled; it is not any more after that.
    pub fn take_signal(&mut self, event: Event) -> bool {
        self.signalled.remove(&event)
    }

    /// Tells all who watch that something happened to the key at `place`.
    pub(super) fn report(&mut self, place: &[u16], what: Filter) {
        let handles = &self.handles;
        let signalled = &mut self.signalled;
        self.armed.retain(|armed| {
            let open = &handles[&armed.handle];
            let (filter, subtree) = open.watches.expect("who waits has a filter");
            let watched = open.place();
            let here = match subtree {
                true => is_below(place, watched),
                false => place == watched,
            };
            let fires = here && filter.meets(what);
            if fires {
                signalled.insert(armed.event);
            }
            !fires
        });
    }

    /// Tells those who watch through this handle that it is closed, or its key gone.
    pub(super) fn release(&mut self, handle: Handle) {
        let signalled = &mut self.signalled;
        self.armed.retain(|armed| {
            let waits = armed.handle == handle;
            if waits {
                signalled.insert(armed.event);
            }
            !waits
        });
    }
}

/// The place above a place.
pub(super) fn parent(place: &[u16]) -> &[u16] {
    let end = place.iter().rposition(|unit| *unit == SEPARATOR);
    &place[..end.unwrap_or(0)]
}
