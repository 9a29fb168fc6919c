//! The kernels' own `format` files, which say where the fields of a tracepoint's record lie and how it is printed.
//!
//! [`Layouts::of`] reads the files of a kernel that this module carries; [`Layouts::parse`] reads those of any other.

use std::fmt;

use super::bytes::Place;
use super::print::Print;
use crate::linux::tcp::Kernel;

const FORMATS_6_1: &str = include_str!("formats-6.1.txt");
const FORMATS_6_18: &str = include_str!("formats-6.18.txt");

/// No field of a record lies or reaches further than this: a page is the most that the ring buffer takes.
const LARGEST: usize = 4096;

/// All tracepoints of a kernel whose formats are known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layouts {
    formats: Vec<Format>,
}

impl Layouts {
    /// Those of a modelled kernel: the TCP tracepoints, `tcp_probe` and `kfree_skb`.
    pub fn of(kernel: Kernel) -> Layouts {
        let text = match kernel {
            Kernel::V6_1 => FORMATS_6_1,
            Kernel::V6_18 => FORMATS_6_18,
        };
        Layouts::parse(text).expect("the carried files are well formed")
    }

    /// Reads `format` files of a kernel, one after another, each after a line `#### system/event`.
    ///
    /// # Errors
    /// The first line that is not as the kernel writes it.
    pub fn parse(text: &str) -> Result<Layouts, FormatError> {
        let mut formats: Vec<Format> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: &str| FormatError {
                line: index + 1,
                what: what.into(),
            };
            let word = line.trim();
            if let Some(path) = word.strip_prefix("#### ") {
                let (system, name) = path
                    .split_once('/')
                    .ok_or_else(|| wrong("no system/event"))?;
                formats.push(Format {
                    system: system.into(),
                    name: name.into(),
                    id: 0,
                    fields: Vec::new(),
                    print: Print::default(),
                    used: 0,
                    places: Vec::new(),
                });
                continue;
            }
            if word.is_empty() || word.starts_with('#') || word == "format:" {
                continue;
            }
            let format = formats.last_mut();
            let format = format.ok_or_else(|| wrong("comes before any #### system/event"))?;
            if let Some(id) = word.strip_prefix("ID:") {
                format.id = id
                    .trim()
                    .parse()
                    .map_err(|_| wrong("no number of 16 bits"))?;
            } else if let Some(name) = word.strip_prefix("name:") {
                if name.trim() != format.name {
                    return Err(wrong("another name than that of the event"));
                }
            } else if let Some(field) = word.strip_prefix("field:") {
                let field = FieldLayout::parse(field).ok_or_else(|| wrong("no field"))?;
                format.fields.push(field);
            } else if let Some(print) = word.strip_prefix("print fmt:") {
                let fields = &format.fields;
                format.print = Print::parse(print, |name| {
                    fields.iter().position(|field| field.name == name)
                })
                .map_err(|what| wrong(&what))?;
            } else {
                return Err(wrong("neither name, ID, field nor print fmt"));
            }
        }
        for format in &mut formats {
            let ends = format.fields.iter().map(|field| field.offset + field.size);
            format.used = ends.max().unwrap_or(0);
            format.places = Place::all(&format.name, &format.fields);
        }
        Ok(Layouts { formats })
    }

    /// All of them, in the order of the files.
    pub fn formats(&self) -> &[Format] {
        &self.formats
    }

    /// The tracepoint called `name`, without its system.
    pub fn named(&self, name: &str) -> Option<&Format> {
        self.formats.iter().find(|format| format.name == name)
    }

    /// The tracepoint whose records begin with this number (`common_type`). It differs between kernels, and
    /// between builds of one.
    pub fn with_id(&self, id: u16) -> Option<&Format> {
        self.formats.iter().find(|format| format.id == id)
    }
}

/// A line of a format file that is not as the kernel writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormatError {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for FormatError {}

/// The layout of one tracepoint's records, and how they are printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Format {
    system: String,
    name: String,
    id: u16,
    fields: Vec<FieldLayout>,
    print: Print,
    /// How many bytes the fields take.
    used: usize,
    /// Where the fields of the model's record stand.
    places: Vec<Place>,
}

/// Where a field lies in the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldLayout {
    /// Its name.
    pub name: String,
    /// Its first byte.
    pub offset: usize,
    /// How many bytes it has.
    pub size: usize,
    /// Whether it is a number with a sign.
    pub is_signed: bool,
    /// Whether it is an array of bytes rather than a number.
    pub is_bytes: bool,
}

impl FieldLayout {
    /// `unsigned short common_type; offset:0; size:2; signed:0;`, with tabs between.
    fn parse(text: &str) -> Option<FieldLayout> {
        let mut parts = text.split(';').map(str::trim);
        let declared = parts.next()?;
        let mut number = |key: &str| -> Option<usize> {
            let value = parts.next()?.strip_prefix(key)?;
            value.strip_prefix(':')?.parse().ok()
        };
        let (offset, size) = (number("offset")?, number("size")?);
        let is_signed = number("signed")? == 1;
        let (declared, is_bytes) = match declared.split_once('[') {
            Some((declared, _)) => (declared, true),
            None => (declared, false),
        };
        let name = declared.rsplit([' ', '*']).next()?;
        let is_number = matches!(size, 1 | 2 | 4 | 8);
        if name.is_empty() || !(is_bytes || is_number) || size > LARGEST || offset > LARGEST {
            return None;
        }
        Some(FieldLayout {
            name: name.into(),
            offset,
            size,
            is_signed,
            is_bytes,
        })
    }
}

impl Format {
    /// `tcp/tcp_send_reset`: what its folder is called.
    pub fn path(&self) -> String {
        format!("{}/{}", self.system, self.name)
    }

    /// Whether another kernel's records are the same, byte for byte, and are printed the same; their number is each
    /// kernel's own.
    pub fn is_same_as(&self, other: &Format) -> bool {
        let Format { id: _, .. } = self;
        (&self.system, &self.name) == (&other.system, &other.name)
            && (&self.fields, &self.print) == (&other.fields, &other.print)
    }

    /// Its system: `tcp` or `sock`.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The tracepoint's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number that its records begin with.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Its fields, the common ones first.
    pub fn fields(&self) -> &[FieldLayout] {
        &self.fields
    }

    /// How its records are printed.
    pub fn print(&self) -> &Print {
        &self.print
    }

    /// How many bytes its records have: what the fields take, rounded up to 8 as the compiler does with a
    /// struct that holds a pointer. The bytes after the last field are not defined.
    pub fn size(&self) -> usize {
        self.used.next_multiple_of(8)
    }

    /// How many bytes its records have up to the end of the last field.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }
}
