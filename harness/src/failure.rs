//! What ends a command early: what went wrong, where, what to do, and the exit code.

use std::fmt;
use std::io;

use faultlab_sim::scenario::Mistake;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

use crate::console::Layout;
use crate::exit::Exit;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    what: String,
    help: Option<String>,
    place: Option<Box<Place>>,
    /// Nobody reads any more, so there is nothing to say.
    silent: bool,
}

/// The place of a mistake in a file.
#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    label: LabeledSpan,
}

/// What a command comes to.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure in words.
    pub fn new(exit: Exit, what: impl Into<String>) -> Failure {
        Failure {
            exit,
            what: what.into(),
            help: None,
            place: None,
            silent: false,
        }
    }

    /// Bad input or usage.
    pub fn bad_input(what: impl Into<String>) -> Failure {
        Failure::new(Exit::BadInput, what)
    }

    /// Something that the design has and this version does not.
    pub fn not_built_yet(what: &str) -> Failure {
        Failure::new(Exit::NoHost, format!("{what}: not built yet"))
            .help("`faultlab doctor` says what this version can do")
    }

    /// A mistake in a file whose text is `text`.
    pub fn mistake(mistake: Mistake, text: Option<&str>) -> Failure {
        let help = mistake.help.clone();
        let failure = match text {
            Some(text) => Failure {
                place: Some(Box::new(Place {
                    label: LabeledSpan::at(mistake.span, "here"),
                    source: NamedSource::new(mistake.file, text.to_owned()),
                })),
                ..Failure::bad_input(mistake.what)
            },
            None => Failure::bad_input(format!(
                "{}:{}:{}: {}",
                mistake.file, mistake.line, mistake.column, mistake.what
            )),
        };
        Failure { help, ..failure }
    }

    /// Standard output that cannot be written: a reader that went away is told nothing.
    pub fn output(error: io::Error) -> Failure {
        Failure {
            silent: error.kind() == io::ErrorKind::BrokenPipe,
            ..Failure::bad_input(format!("standard output cannot be written: {error}"))
        }
    }

    /// The same, with what to do about it.
    pub fn help(self, help: impl Into<String>) -> Failure {
        Failure {
            help: Some(help.into()),
            ..self
        }
    }

    /// The file and the line, from 1, of a mistake in a file.
    pub fn place(&self) -> Option<(String, usize)> {
        let place = self.place.as_ref()?;
        let text = place.source.inner();
        let before = text.get(..place.label.offset()).unwrap_or(text);
        Some((place.source.name().into(), before.matches('\n').count() + 1))
    }

    /// Says it on standard error.
    pub fn report(&self, Layout { color, width }: Layout) {
        if self.silent {
            return;
        }
        let theme = if color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(width);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => eprint!("{text}"),
            Err(_) => eprintln!("{self}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

impl Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place
            .as_ref()
            .map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.place.as_ref()?.label.clone();
        Some(Box::new(std::iter::once(label)))
    }
}
