//! A volume: a tree of directories and files, which forks by sharing.
//!
//! Here is what is on the disk; who may do what, and what each call says, is in [`super::files`].
//!
//! | rule | source | sure |
//! |---|---|---|
//! | names compare unit by unit in upper case and keep their spelling | documentation | yes |
//! | a component has at most 255 units; `" * / : < > ? \ |` and signs below a blank are in none | documentation of naming files | yes |
//! | short names for what is no name of MS-DOS | documentation; their spelling: from memory | no |
//! | a path meets at most 63 links: 1921 | documentation of reparse points | yes |
//! | streams of files, by name; `:$DATA` is the only type | documentation | yes |
//!
//! Of reparse points there are junctions and symbolic links. Not there: hard links, times, quotas, compression, encryption.

use std::fmt;
use std::sync::Arc;

use super::path::{BACKSLASH, MAX_COMPONENT, is_legal_8dot3, short_candidates};
use super::registry::Name;
use super::registry::feed::Feed;
use super::registry::sorted::{Named, Sorted};
use super::security::Shared;
use super::text::CodePage;

/// Attributes of a file or directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Attributes(pub u32);

impl Attributes {
    /// FILE_ATTRIBUTE_READONLY.
    pub const READONLY: Attributes = Attributes(0x1);
    /// FILE_ATTRIBUTE_HIDDEN.
    pub const HIDDEN: Attributes = Attributes(0x2);
    /// FILE_ATTRIBUTE_SYSTEM.
    pub const SYSTEM: Attributes = Attributes(0x4);
    /// FILE_ATTRIBUTE_DIRECTORY.
    pub const DIRECTORY: Attributes = Attributes(0x10);
    /// FILE_ATTRIBUTE_ARCHIVE.
    pub const ARCHIVE: Attributes = Attributes(0x20);
    /// FILE_ATTRIBUTE_REPARSE_POINT: a junction or symbolic link.
    pub const REPARSE_POINT: Attributes = Attributes(0x400);
    /// FILE_ATTRIBUTE_NORMAL: none of the others.
    pub const NORMAL: Attributes = Attributes(0x80);
    /// Those that SetFileAttributes sets, of the ones above.
    pub const SETTABLE: Attributes = Attributes(0x27);

    /// Whether all of `other` are here.
    pub fn has(self, other: Attributes) -> bool {
        self.0 & other.0 == other.0
    }

    /// With those of `other`.
    pub fn with(self, other: Attributes) -> Attributes {
        Attributes(self.0 | other.0)
    }
}

/// What a file holds. Clones share it.
pub type Content = Arc<[u8]>;

/// A file or directory, with all below it. A clone shares everything until one side writes.
#[derive(Clone)]
pub struct Node {
    name: Name,
    short: Option<Name>,
    attributes: Attributes,
    descriptor: Shared,
    /// Where a junction or symbolic link leads.
    link: Option<Arc<[u16]>>,
    /// Whether that is a junction.
    is_junction: bool,
    body: Body,
    /// invariant: of all of the above.
    digest: u128,
}

#[derive(Clone)]
enum Body {
    Directory {
        entries: Sorted<Node>,
        /// Those that have a short name.
        aliases: Sorted<Alias>,
        /// The sum of the digests of entries.
        sum: u128,
    },
    File {
        content: Content,
        /// How many bytes it has, if no more of its content is known than that: then `content` is empty.
        listed: Option<u64>,
        /// Streams beside the content, in the order of their names.
        streams: Vec<(Name, Content)>,
    },
}

/// A short name, and whose it is.
#[derive(Clone)]
struct Alias {
    short: Name,
    of: Name,
}

impl Named for Node {
    fn folded(&self) -> &[u16] {
        self.name.folded()
    }
}

impl Named for Alias {
    fn folded(&self) -> &[u16] {
        self.short.folded()
    }
}

impl Node {
    /// An empty directory.
    pub fn directory(name: Name, descriptor: Shared) -> Node {
        let body = Body::Directory {
            entries: Sorted::default(),
            aliases: Sorted::default(),
            sum: 0,
        };
        Node::made(name, Attributes::DIRECTORY, descriptor, body)
    }

    /// A file.
    pub fn file(name: Name, descriptor: Shared, content: Content) -> Node {
        let body = Body::File {
            content,
            listed: None,
            streams: Vec::new(),
        };
        Node::made(name, Attributes::ARCHIVE, descriptor, body)
    }

    /// A file of which nothing is known but how many bytes it has, as a listing of a real machine gives it.
    pub fn listed(name: Name, descriptor: Shared, len: u64) -> Node {
        let body = Body::File {
            content: Content::default(),
            listed: Some(len),
            streams: Vec::new(),
        };
        Node::made(name, Attributes::ARCHIVE, descriptor, body)
    }

    fn made(name: Name, attributes: Attributes, descriptor: Shared, body: Body) -> Node {
        let mut node = Node {
            name,
            short: None,
            attributes,
            descriptor,
            link: None,
            is_junction: false,
            body,
            digest: 0,
        };
        node.seal();
        node
    }

    /// This empty file or directory as a symbolic link. `target` is a full path, or one that is relative to the
    /// directory that the link is in.
    pub fn leading_to(mut self, target: &[u16]) -> Node {
        self.link = Some(target.into());
        self.attributes = self.attributes.with(Attributes::REPARSE_POINT);
        self.seal();
        self
    }

    /// This empty directory as a junction to a full path.
    pub fn joined_to(mut self, target: &[u16]) -> Node {
        self.is_junction = true;
        self.leading_to(target)
    }

    /// Whether it is a junction.
    pub fn is_junction(&self) -> bool {
        self.is_junction
    }

    /// Where it leads, if it is a link.
    pub fn link(&self) -> Option<&[u16]> {
        self.link.as_deref()
    }

    /// Its name, as it was created.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its short name, if it has one beside its name.
    pub fn short_name(&self) -> Option<&Name> {
        self.short.as_ref()
    }

    /// Its attributes; [`Attributes::NORMAL`] if there is nothing to say.
    pub fn attributes(&self) -> Attributes {
        match self.attributes.0 {
            0 => Attributes::NORMAL,
            _ => self.attributes,
        }
    }

    /// Its security descriptor.
    pub fn descriptor(&self) -> &Shared {
        &self.descriptor
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory { .. })
    }

    /// How many bytes it holds; none for a directory.
    pub fn len_in_bytes(&self) -> Option<u64> {
        match &self.body {
            Body::File {
                content, listed, ..
            } => Some(listed.unwrap_or(content.len() as u64)),
            Body::Directory { .. } => None,
        }
    }

    /// Whether it is a file of which only the length is known.
    pub fn is_listed(&self) -> bool {
        matches!(
            self.body,
            Body::File {
                listed: Some(_),
                ..
            }
        )
    }

    /// What it holds, if it is a file and that is known.
    pub fn known_content(&self) -> Option<&Content> {
        self.content().filter(|_| !self.is_listed())
    }

    /// What it holds, if it is a file; nothing if [`Node::is_listed`].
    pub fn content(&self) -> Option<&Content> {
        match &self.body {
            Body::File { content, .. } => Some(content),
            Body::Directory { .. } => None,
        }
    }

    /// What a stream of it holds: `Zone.Identifier`.
    pub fn stream(&self, name: &Name) -> Option<&Content> {
        match &self.body {
            Body::File { streams, .. } => {
                let mut streams = streams.iter();
                streams
                    .find(|(own, _)| own.same_as(name))
                    .map(|(_, content)| content)
            }
            Body::Directory { .. } => None,
        }
    }

    /// The names of its streams.
    pub fn streams(&self) -> impl Iterator<Item = &Name> {
        let streams = match &self.body {
            Body::File { streams, .. } => &streams[..],
            Body::Directory { .. } => &[],
        };
        streams.iter().map(|(name, _)| name)
    }

    /// What is in it, in the order of names in upper case: so NTFS lists them.
    pub fn entries(&self) -> impl Iterator<Item = &Node> + Clone {
        let entries = match &self.body {
            Body::Directory { entries, .. } => Some(entries.iter().map(|entry| &**entry)),
            Body::File { .. } => None,
        };
        entries.into_iter().flatten()
    }

    /// How many are in it.
    pub fn len(&self) -> usize {
        match &self.body {
            Body::Directory { entries, .. } => entries.len(),
            Body::File { .. } => 0,
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What has this name, or this short name.
    pub fn entry(&self, name: &Name) -> Option<&Node> {
        self.entry_folded(name.folded())
    }

    fn entry_folded(&self, folded: &[u16]) -> Option<&Node> {
        let Body::Directory {
            entries, aliases, ..
        } = &self.body
        else {
            return None;
        };
        let found = entries.get(folded).or_else(|| {
            let alias = aliases.get(folded)?;
            entries.get(alias.of.folded())
        });
        found.map(|entry| &**entry)
    }

    /// The digest of it with all below.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// Sets what it holds; a stream of it, which is created if it lacks.
    pub fn set_content(&mut self, stream: Option<&Name>, new: Content) {
        if let Body::File {
            content,
            listed,
            streams,
        } = &mut self.body
        {
            match stream {
                None => (*content, *listed) = (new, None),
                Some(name) => {
                    let at = streams.binary_search_by(|(own, _)| own.folded().cmp(name.folded()));
                    match at {
                        Ok(at) => streams[at].1 = new,
                        Err(at) => streams.insert(at, (name.clone(), new)),
                    }
                }
            }
            self.seal();
        }
    }

    /// Deletes a stream; whether there was one.
    pub fn delete_stream(&mut self, name: &Name) -> bool {
        let Body::File { streams, .. } = &mut self.body else {
            return false;
        };
        let before = streams.len();
        streams.retain(|(own, _)| !own.same_as(name));
        let deleted = streams.len() < before;
        self.seal();
        deleted
    }

    /// Sets its attributes; whether it is a directory does not change.
    pub fn set_attributes(&mut self, attributes: Attributes) {
        let kept = self.attributes.0 & (Attributes::DIRECTORY.0 | Attributes::REPARSE_POINT.0);
        self.attributes = Attributes(attributes.0 & Attributes::SETTABLE.0 | kept);
        self.seal();
    }

    /// Sets its descriptor; what is below keeps its own.
    pub fn set_descriptor(&mut self, descriptor: Shared) {
        self.descriptor = descriptor;
        self.seal();
    }

    /// Puts something in this directory. It gets a short name if `oem` is given and it needs one.
    ///
    /// # Panics
    /// If there is something of that name, or this is a file.
    pub fn put(&mut self, mut node: Node, oem: Option<CodePage>) {
        let short = oem
            .filter(|oem| is_legal_8dot3(node.name.units(), *oem).is_none())
            .and_then(|_| {
                let mut candidates =
                    short_candidates(node.name.units()).map(|short| Name::new(&short));
                candidates.find(|short| self.entry(short).is_none())
            });
        if node.short != short {
            node.short = short;
            node.seal();
        }
        let Body::Directory {
            entries,
            aliases,
            sum,
        } = &mut self.body
        else {
            panic!("only directories hold something");
        };
        if let Some(short) = &node.short {
            aliases.insert(Arc::new(Alias {
                short: short.clone(),
                of: node.name.clone(),
            }));
        }
        *sum = sum.wrapping_add(node.digest);
        entries.insert(Arc::new(node));
        self.seal();
    }

    /// Takes something out of this directory, by its name.
    pub fn take(&mut self, name: &Name) -> Option<Node> {
        let Body::Directory {
            entries,
            aliases,
            sum,
        } = &mut self.body
        else {
            return None;
        };
        let node = entries.remove(name.folded())?;
        if let Some(short) = &node.short {
            aliases.remove(short.folded());
        }
        *sum = sum.wrapping_sub(node.digest);
        self.seal();
        Some(Arc::unwrap_or_clone(node))
    }

    /// The same under another name, which is that of a file that is moved.
    pub fn renamed(mut self, name: Name) -> Node {
        self.name = name;
        self.short = None;
        self.seal();
        self
    }

    /// Takes an entry out for editing, its short name stays.
    fn lift(&mut self, folded: &[u16]) -> Option<Node> {
        let Body::Directory { entries, sum, .. } = &mut self.body else {
            return None;
        };
        let node = entries.remove(folded)?;
        *sum = sum.wrapping_sub(node.digest);
        Some(Arc::unwrap_or_clone(node))
    }

    /// Puts back what [`Node::lift`] took.
    fn lower(&mut self, node: Node) {
        if let Body::Directory { entries, sum, .. } = &mut self.body {
            *sum = sum.wrapping_add(node.digest);
            entries.insert(Arc::new(node));
        }
        self.seal();
    }

    fn seal(&mut self) {
        let mut feed = Feed::new();
        feed.units(self.name.units());
        feed.units(self.short.as_ref().map_or(&[], |short| short.units()));
        feed.number(self.attributes.0);
        feed.word(self.descriptor.digest());
        if let Some(target) = &self.link {
            feed.units(target);
            feed.number(u32::from(self.is_junction));
        }
        match &self.body {
            Body::Directory { sum, .. } => feed.word(*sum),
            Body::File {
                content,
                listed,
                streams,
            } => {
                feed.bytes(content);
                if let Some(len) = listed {
                    feed.word(u128::from(*len) + 1);
                }
                for (name, content) in streams {
                    feed.units(name.units());
                    feed.bytes(content);
                }
            }
        }
        self.digest = feed.finish();
    }

    fn take_children(&mut self) -> Vec<Arc<Node>> {
        match &mut self.body {
            Body::Directory { entries, .. } if entries.len() > 0 => {
                std::mem::take(entries).into_unshared().collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Level by level: a path of 32 000 units has 16 000 of them, more than a stack takes.
impl Drop for Node {
    fn drop(&mut self) {
        let mut waiting = self.take_children();
        while let Some(node) = waiting.pop() {
            if let Ok(mut node) = Arc::try_unwrap(node) {
                waiting.append(&mut node.take_children());
            }
        }
    }
}

/// Two nodes are equal if no program could tell them apart, however they came about.
impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Node {}

impl std::hash::Hash for Node {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// What has no place on a volume.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Nowhere {
    /// The last component is not there: STATUS_OBJECT_NAME_NOT_FOUND.
    NoName,
    /// One before it is not there, or is a file: STATUS_OBJECT_PATH_NOT_FOUND.
    NoPath,
    /// A component is no name: STATUS_OBJECT_NAME_INVALID.
    Invalid,
    /// A component is a link, and others come behind it, or it is to be followed: STATUS_REPARSE.
    Link,
}

/// Where something is: the names on the way from the root, in upper case, without short ones.
pub type Place = Vec<Name>;

/// A volume. A clone is a fork, and costs next to nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Volume {
    root: Arc<Node>,
    /// The OEM code page that short names are made in; none if the volume makes none
    /// (`fsutil 8dot3name set`).
    short_names: Option<CodePage>,
    /// How many bytes are free for contents, if that is to count.
    pub free: Option<u64>,
}

impl Volume {
    /// An empty volume whose root has this descriptor, with short names in this code page.
    pub fn new(descriptor: Shared, short_names: Option<CodePage>) -> Volume {
        let mut root = Node::directory(Name::new(&[]), descriptor);
        root.attributes = Attributes::DIRECTORY
            .with(Attributes::HIDDEN)
            .with(Attributes::SYSTEM);
        root.seal();
        Volume {
            root: Arc::new(root),
            short_names,
            free: None,
        }
    }

    /// The root directory.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Where these components lead: the place, or the place of the directory that it would be in, and the
    /// name.
    ///
    /// # Errors
    /// See [`Nowhere`]; with [`Nowhere::NoName`] comes where it would be, with [`Nowhere::Link`] where the link is.
    /// A link that comes last is one only if `follows`.
    pub fn find(&self, components: &[Vec<u16>], follows: bool) -> Result<Place, (Nowhere, Place)> {
        if !components.iter().all(|name| is_name(name)) {
            return Err((Nowhere::Invalid, Vec::new()));
        }
        let mut place: Place = Vec::with_capacity(components.len());
        let mut node = self.root();
        for (at, component) in components.iter().enumerate() {
            let name = Name::new(component);
            let is_last = at + 1 == components.len();
            match node.entry(&name) {
                Some(entry) => {
                    place.push(entry.name.clone());
                    if entry.link.is_some() && (follows || !is_last) {
                        return Err((Nowhere::Link, place));
                    }
                    node = entry;
                }
                None if is_last && node.is_directory() => {
                    place.push(name);
                    return Err((Nowhere::NoName, place));
                }
                None => return Err((Nowhere::NoPath, place)),
            }
        }
        Ok(place)
    }

    /// What is at a place.
    pub fn at(&self, place: &[Name]) -> Option<&Node> {
        place
            .iter()
            .try_fold(self.root(), |node, name| node.entry_folded(name.folded()))
    }

    /// Edits what is at a place; none if nothing is there.
    pub fn edit<R>(&mut self, place: &[Name], edit: impl FnOnce(&mut Node) -> R) -> Option<R> {
        self.at(place)?;
        let root = Arc::make_mut(&mut self.root);
        if place.is_empty() {
            return Some(edit(root));
        }
        // Down by taking out, up by putting back: not by calls within calls, since ways may be long.
        let mut lifted: Vec<Node> = Vec::with_capacity(place.len());
        for name in place {
            let above = lifted.last_mut().unwrap_or(root);
            let node = above.lift(name.folded())?;
            lifted.push(node);
        }
        let mut node = lifted.pop()?;
        let result = edit(&mut node);
        while let Some(mut above) = lifted.pop() {
            above.lower(node);
            node = above;
        }
        root.lower(node);
        Some(result)
    }

    /// Puts something into the directory at a place, with a short name if it needs one.
    ///
    /// # Panics
    /// If there is something of that name, or no directory.
    pub fn put(&mut self, directory: &[Name], node: Node) {
        let oem = self.short_names;
        self.edit(directory, |directory| directory.put(node, oem))
            .expect("the place is a directory's");
    }

    /// Takes away what is at a place, with all below it.
    pub fn take(&mut self, place: &[Name]) -> Option<Node> {
        let (name, above) = place.split_last()?;
        self.edit(above, |directory| directory.take(name)).flatten()
    }

    /// Whether short names are made, and in which code page.
    pub fn short_names(&self) -> Option<CodePage> {
        self.short_names
    }

    /// `fsutil 8dot3name set`: names that are there keep their short ones.
    pub fn set_short_names(&mut self, short_names: Option<CodePage>) {
        self.short_names = short_names;
    }
}

/// Whether a component can be a name on the volume.
pub fn is_name(name: &[u16]) -> bool {
    const DOT: u16 = b'.' as u16;
    let is_sign = |unit: &u16| match u8::try_from(*unit) {
        Ok(byte) => byte >= b' ' && !b"\"*/:<>?\\|".contains(&byte),
        Err(_) => true,
    };
    (1..=MAX_COMPONENT).contains(&name.len())
        && name.iter().all(is_sign)
        && name != [DOT]
        && name != [DOT, DOT]
}

/// The path of a place on a drive.
pub fn path_of(letter: u16, place: &[Name]) -> Vec<u16> {
    let mut path = vec![letter, u16::from(b':'), BACKSLASH];
    for (at, name) in place.iter().enumerate() {
        if at > 0 {
            path.push(BACKSLASH);
        }
        path.extend_from_slice(name.units());
    }
    path
}

/// A listing: names indented by depth, directories with a backslash behind them.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut waiting = vec![(0, self)];
        while let Some((depth, node)) = waiting.pop() {
            let tail = match (node.link(), node.len_in_bytes()) {
                (Some(target), _) => format!(" -> {}", String::from_utf16_lossy(target)),
                (None, Some(len)) => format!("  {len} bytes"),
                (None, None) => "\\".into(),
            };
            writeln!(f, "{:1$}{2}{tail}", "", 2 * depth, node.name)?;
            let below: Vec<&Node> = node.entries().collect();
            waiting.extend(below.into_iter().rev().map(|below| (depth + 1, below)));
        }
        Ok(())
    }
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}
