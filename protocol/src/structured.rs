//! Lists of RFC 9651, as far as they are needed: their tokens; everything else is checked and passed over.

/// The tokens among a list's members; `None` of what is not a list.
pub(crate) fn tokens(text: &str) -> Option<Vec<&str>> {
    let mut input = Input(text.trim_matches(' '));
    let mut tokens = Vec::new();
    if input.0.is_empty() {
        return Some(tokens);
    }
    loop {
        if input.0.starts_with('(') {
            input.inner_list()?;
        } else if let Some(token) = input.bare_item()? {
            tokens.push(token);
        }
        input.parameters()?;
        input.skip([' ', '\t']);
        if input.0.is_empty() {
            return Some(tokens);
        }
        input.expect(',')?;
        input.skip([' ', '\t']);
    }
}

/// What is left to be read.
struct Input<'a>(&'a str);

impl<'a> Input<'a> {
    fn expect(&mut self, expected: char) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    fn skip<const N: usize>(&mut self, any: [char; N]) {
        self.0 = self.0.trim_start_matches(any);
    }

    fn take_while(&mut self, accepted: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|found| !accepted(found)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn inner_list(&mut self) -> Option<()> {
        self.expect('(')?;
        loop {
            self.skip([' ']);
            if self.expect(')').is_some() {
                return Some(());
            }
            self.bare_item()?;
            self.parameters()?;
            if !self.0.starts_with([' ', ')']) {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.expect(';').is_some() {
            self.skip([' ']);
            if !self
                .0
                .starts_with(|first: char| first.is_ascii_lowercase() || first == '*')
            {
                return None;
            }
            self.take_while(|key| key.is_ascii_lowercase() || key.is_ascii_digit() || "_-.*".contains(key));
            if self.expect('=').is_some() {
                self.bare_item()?;
            }
        }
        Some(())
    }

    /// An item: its text, of a token.
    fn bare_item(&mut self) -> Option<Option<&'a str>> {
        let first = self.0.chars().next()?;
        match first {
            'A'..='Z' | 'a'..='z' | '*' => {
                let token = |found: char| found.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(found);
                return Some(Some(self.take_while(token)));
            }
            '-' | '0'..='9' => self.number(true)?,
            '"' => self.string()?,
            ':' => {
                self.expect(':')?;
                self.take_while(|found| found.is_ascii_alphanumeric() || "+/=".contains(found));
                self.expect(':')?;
            }
            '?' => {
                self.expect('?')?;
                self.0 = self.0.strip_prefix(['0', '1'])?;
            }
            '@' => {
                self.expect('@')?;
                self.number(false)?;
            }
            '%' => self.display_string()?,
            _ => return None,
        }
        Some(None)
    }

    fn number(&mut self, decimal: bool) -> Option<()> {
        let _ = self.expect('-');
        let whole = self.take_while(|found| found.is_ascii_digit()).len();
        if decimal && self.expect('.').is_some() {
            let part = self.take_while(|found| found.is_ascii_digit()).len();
            return ((1..=12).contains(&whole) && (1..=3).contains(&part)).then_some(());
        }
        (1..=15).contains(&whole).then_some(())
    }

    fn string(&mut self) -> Option<()> {
        self.expect('"')?;
        loop {
            self.take_while(|found| matches!(found, ' '..='~') && found != '"' && found != '\\');
            if self.expect('"').is_some() {
                return Some(());
            }
            self.expect('\\')?;
            self.0 = self.0.strip_prefix(['"', '\\'])?;
        }
    }

    fn display_string(&mut self) -> Option<()> {
        self.expect('%')?;
        self.expect('"')?;
        loop {
            self.take_while(|found| matches!(found, ' '..='~') && found != '"' && found != '%');
            if self.expect('"').is_some() {
                return Some(());
            }
            self.expect('%')?;
            for _ in 0..2 {
                self.0 = self
                    .0
                    .strip_prefix(|found: char| matches!(found, '0'..='9' | 'a'..='f'))?;
            }
        }
    }
}
