//! INFO: how sections are chosen and how their lines are written.
//!
//! Each part that knows something implements `Source` and writes its own lines; nobody knows all of
//! INFO. The caller lists the sources in Redis's order and asks for the ones selected. Numbers that
//! need a certain number of digits come as `format_args!`.

use std::collections::BTreeSet;
use std::fmt::{Display, Write as _};

/// When a section is shown without being named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// INFO, INFO default, INFO all, INFO everything.
    ByDefault,
    /// INFO all, INFO everything.
    WithAll,
    /// INFO everything.
    WithEverything,
}

/// One section, rendered by the part that knows it.
pub trait Source {
    /// The heading, such as `Server`; its lower case is the argument of INFO.
    fn heading(&self) -> &'static str;

    fn shown(&self) -> Shown {
        Shown::ByDefault
    }

    fn write(&self, section: &mut Writer);
}

/// The reply as it grows.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
}

/// The arguments of INFO.
#[derive(Debug, PartialEq, Eq)]
pub struct Selection {
    widest: Option<Width>,
    named: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Default,
    All,
    Everything,
}

impl Selection {
    /// Reads the arguments; none means the default sections.
    pub fn new<'a>(arguments: impl IntoIterator<Item = &'a [u8]>) -> Selection {
        let mut selection = Selection {
            widest: None,
            named: BTreeSet::new(),
        };
        for argument in arguments {
            match argument.to_ascii_lowercase().as_slice() {
                b"default" => selection.widen(Width::Default),
                b"all" => selection.widen(Width::All),
                b"everything" => selection.widen(Width::Everything),
                name => drop(
                    selection
                        .named
                        .insert(String::from_utf8_lossy(name).into_owned()),
                ),
            }
        }
        if selection.widest.is_none() && selection.named.is_empty() {
            selection.widest = Some(Width::Default);
        }
        selection
    }

    pub fn contains(&self, source: &dyn Source) -> bool {
        let needed = match source.shown() {
            Shown::ByDefault => Width::Default,
            Shown::WithAll => Width::All,
            Shown::WithEverything => Width::Everything,
        };
        self.widest >= Some(needed) || self.named.contains(&source.heading().to_ascii_lowercase())
    }

    fn widen(&mut self, width: Width) {
        self.widest = self.widest.max(Some(width));
    }
}

/// The reply of INFO: the selected sources in the order given.
pub fn render(selection: &Selection, sources: &[&dyn Source]) -> String {
    let mut writer = Writer::default();
    for source in sources.iter().filter(|source| selection.contains(**source)) {
        writer.heading(source.heading());
        source.write(&mut writer);
    }
    writer.text
}

impl Writer {
    /// A line `name:value`.
    pub fn field(&mut self, name: impl Display, value: impl Display) -> &mut Writer {
        write!(self.text, "{name}:{value}\r\n").expect("writing to a string cannot fail");
        self
    }

    /// Two lines: a number of bytes as it is, and as people read it.
    pub fn bytes_field(&mut self, name: &str, bytes: u64) -> &mut Writer {
        self.field(name, bytes)
            .field(format_args!("{name}_human"), human(bytes))
    }

    fn heading(&mut self, heading: &str) {
        let gap = if self.text.is_empty() { "" } else { "\r\n" };
        write!(self.text, "{gap}# {heading}\r\n").expect("writing to a string cannot fail");
    }
}

/// Bytes as people read them: 894.86K.
pub fn human(bytes: u64) -> String {
    let unit = ["K", "M", "G", "T", "P"]
        .iter()
        .zip(1_u32..)
        .take_while(|(_, power)| bytes >> (10 * power) > 0)
        .last();
    match unit {
        None => format!("{bytes}B"),
        Some((unit, power)) => {
            format!(
                "{:.2}{unit}",
                bytes as f64 / 1024_f64.powi(power.cast_signed())
            )
        }
    }
}

/// Text that cannot be mistaken for a heading, a separator or the end of a line.
pub fn safe_name(text: &[u8]) -> String {
    let safe = |letter| {
        if matches!(letter, '#' | ':' | '\n' | '\r') {
            '_'
        } else {
            letter
        }
    };
    String::from_utf8_lossy(text).chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake(&'static str, Shown);

    impl Source for Fake {
        fn heading(&self) -> &'static str {
            self.0
        }

        fn shown(&self) -> Shown {
            self.1
        }

        fn write(&self, section: &mut Writer) {
            section
                .field("answer", 42)
                .field("ratio", format_args!("{:.2}", 1.5));
        }
    }

    fn shown(arguments: &[&[u8]]) -> Vec<&'static str> {
        let sources = [
            Fake("Server", Shown::ByDefault),
            Fake("Commandstats", Shown::WithAll),
            Fake("Modules", Shown::WithEverything),
        ];
        let selection = Selection::new(arguments.iter().copied());
        sources
            .iter()
            .filter(|source| selection.contains(*source))
            .map(|source| source.0)
            .collect()
    }

    #[test]
    fn sections_are_chosen_by_name_or_by_width() {
        assert_eq!(shown(&[]), ["Server"]);
        assert_eq!(shown(&[b"DEFAULT"]), ["Server"]);
        assert_eq!(shown(&[b"all"]), ["Server", "Commandstats"]);
        assert_eq!(
            shown(&[b"everything"]),
            ["Server", "Commandstats", "Modules"]
        );
        assert_eq!(shown(&[b"CommandStats"]), ["Commandstats"]);
        assert_eq!(shown(&[b"default", b"modules"]), ["Server", "Modules"]);
        assert_eq!(shown(&[b"nosuch"]), Vec::<&str>::new());
    }

    #[test]
    fn sections_are_separated_by_a_blank_line() {
        let (one, two) = (Fake("One", Shown::ByDefault), Fake("Two", Shown::ByDefault));
        let text = render(&Selection::new([]), &[&one, &two]);
        let body = "answer:42\r\nratio:1.50\r\n";
        assert_eq!(text, format!("# One\r\n{body}\r\n# Two\r\n{body}"));
    }

    #[test]
    fn bytes_as_people_read_them() {
        let wanted = ["0B", "1023B", "1.00K", "894.86K", "11.63M", "23.54G"];
        assert_eq!(
            [0, 1023, 1024, 916_336, 12_197_888, 25_276_510_208].map(human),
            wanted
        );
        let mut writer = Writer::default();
        writer.bytes_field("used_memory", 2048);
        assert_eq!(
            writer.text,
            "used_memory:2048\r\nused_memory_human:2.00K\r\n"
        );
    }

    #[test]
    fn names_cannot_break_a_line() {
        assert_eq!(safe_name(b"A:B#\r\nC"), "A_B___C");
    }
}
