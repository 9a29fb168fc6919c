//! How programs divide their command line: the rules of Microsoft's C library ("Parsing C command-line arguments").

/// The arguments of a command line's tail: blanks and tabs divide outside of quotes; 2n backslashes before a quote are n of
/// them and the quote counts, 2n + 1 are n of them and a literal quote; a doubled quote inside quotes is a literal one.
pub fn split(tail: &[u16]) -> Vec<String> {
    let units: Vec<u16> = tail.to_vec();
    let (mut all, mut at) = (Vec::new(), 0);
    let is_blank = |unit: u16| unit == 0x20 || unit == 0x09;
    loop {
        while at < units.len() && is_blank(units[at]) {
            at += 1;
        }
        if at == units.len() {
            return all;
        }
        let (mut word, mut open) = (Vec::new(), false);
        while at < units.len() && (open || !is_blank(units[at])) {
            let slashes = units[at..].iter().take_while(|unit| **unit == 0x5c).count();
            let quote = units.get(at + slashes) == Some(&0x22);
            if slashes > 0 {
                let kept = if quote { slashes / 2 } else { slashes };
                word.extend(std::iter::repeat_n(0x5c, kept));
                at += slashes;
                if quote && slashes % 2 == 1 {
                    word.push(0x22);
                    at += 1;
                }
                continue;
            }
            if quote {
                at += 1;
                if open && units.get(at) == Some(&0x22) {
                    word.push(0x22);
                    at += 1;
                } else {
                    open = !open;
                }
                continue;
            }
            word.push(units[at]);
            at += 1;
        }
        all.push(String::from_utf16_lossy(&word));
    }
}

#[cfg(test)]
mod tests {
    use super::split;
    use crate::win7::registry::units;

    #[test]
    fn arguments_divide_as_the_c_library_documents() {
        let split = |text: &str| split(&units(text)).join("|");
        assert_eq!(split(r#" "a b c" d e"#), "a b c|d|e");
        assert_eq!(split(r#""ab\"c" "\\" d"#), r#"ab"c|\|d"#);
        assert_eq!(split(r#"a\\\b d"e f"g h"#), r"a\\\b|de fg|h");
        assert_eq!(split(r#"a\\\"b c d"#), r#"a\"b|c|d"#);
        assert_eq!(split(r#"a\\\\"b c" d e"#), r"a\\b c|d|e");
    }
}
