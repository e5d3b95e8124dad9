//! Rewrites the expressions of a template, so that what minijinja computes otherwise than Jinja2, or without asking what it
//! costs, is computed here: subscripts and slices, attributes, `%`, a sign, texts put together, and comparisons become calls of
//! functions (`operators.rs`).
//!
//! Tokens keep their order, and so do line breaks: errors keep their line numbers. Precedence is Jinja2's.

use super::tokens::{Kind, Token, literal, tokens};
use std::borrow::Cow;
use std::ops::Range;

/// Every function of ours begins so; a template that uses such a name is refused.
pub(super) const OWN: &str = "__fovea";
/// Deeper than any expression that a person writes; minijinja ends a little later.
const DEEPEST: usize = 100;

/// What stands in the place of an expression (`marks`: of a template that makes markup), or of all of a tag's words; nothing when it is not understood.
pub(super) fn rewritten(text: &str, what: Part, marks: bool) -> Option<String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, marks };
    match what {
        Part::Output => parser.tuple(true)?,
        Part::Tag => parser.tag()?,
    }
    parser.is_done().then(|| parser.text())
}

/// What an expression is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `{{ … }}`
    Output,
    /// `{% … %}`
    Tag,
}

/// Reads tokens and changes them on the way. What it does not understand it answers with nothing.
pub(super) struct Parser<'a> {
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) at: usize,
    depth: usize,
    /// The template makes markup, so what is added must be looked at.
    marks: bool,
}

impl<'a> Parser<'a> {
    pub(super) fn is_done(&self) -> bool {
        self.tokens[self.at].kind == Kind::End
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for token in &self.tokens {
            out.push_str(token.space);
            token.before.iter().rev().for_each(|word| out.push_str(word));
            out.push_str(&token.text);
            token.after.iter().for_each(|word| out.push_str(word));
        }
        out
    }

    pub(super) fn is(&self, text: &str) -> bool {
        let token = &self.tokens[self.at];
        token.text == text && matches!(token.kind, Kind::Name | Kind::Sign)
    }

    pub(super) fn is_any(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.is(text))
    }

    pub(super) fn skip(&mut self, text: &str) -> bool {
        let is = self.is(text);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, text: &str) -> Option<()> {
        self.skip(text).then_some(())
    }

    pub(super) fn name(&mut self) -> Option<&'a str> {
        let Token { kind: Kind::Name, text: Cow::Borrowed(name), .. } = self.tokens[self.at] else { return None };
        self.at += 1;
        Some(name)
    }

    /// Writes a call of one of our functions: its name before the token at `start`.
    pub(super) fn open(&mut self, start: usize, function: &str) {
        self.tokens[start].before.push(Cow::Owned(format!("{OWN}_{function}(")));
    }

    /// What is written behind the token that was read last.
    pub(super) fn close(&mut self, words: &'static str) {
        self.tokens[self.at - 1].after.push(words);
    }

    /// Changes the token that was read last.
    fn change(&mut self, text: &'static str) {
        self.tokens[self.at - 1].text = Cow::Borrowed(text);
    }

    fn wrap(&mut self, start: usize, function: &str) {
        self.open(start, function);
        self.close(")");
    }

    /// An expression, or several with commas between them.
    pub(super) fn tuple(&mut self, with_condition: bool) -> Option<()> {
        self.expression(with_condition)?;
        while self.skip(",") {
            if self.is_done() || self.is_any(&["if", "recursive", ")", "]"]) {
                break;
            }
            self.expression(with_condition)?;
        }
        Some(())
    }

    pub(super) fn expression(&mut self, with_condition: bool) -> Option<()> {
        self.depth += 1;
        (self.depth <= DEEPEST).then_some(())?;
        self.or()?;
        while with_condition && self.skip("if") {
            self.or()?;
            if self.skip("else") {
                self.expression(true)?;
            }
        }
        self.depth -= 1;
        Some(())
    }

    fn or(&mut self) -> Option<()> {
        self.and()?;
        while self.skip("or") {
            self.and()?;
        }
        Some(())
    }

    fn and(&mut self) -> Option<()> {
        self.not()?;
        while self.skip("and") {
            self.not()?;
        }
        Some(())
    }

    fn not(&mut self) -> Option<()> {
        while self.skip("not") {}
        self.comparison()
    }

    /// One comparison becomes a call; in several at once, what is compared is weighed.
    fn comparison(&mut self) -> Option<()> {
        let start = self.at;
        self.sum()?;
        // Where each sign begins and ends, and what stands behind it.
        let first = start..self.at;
        let mut parts = Vec::from([first]);
        let mut signs = Vec::new();
        while let Some(sign) = self.comparing() {
            signs.push(sign);
            let right = self.at;
            self.sum()?;
            parts.push(right..self.at);
        }
        match signs.as_slice() {
            [] => {}
            [sign] if !["==", "!="].contains(&&*self.tokens[sign.start].text) => {
                let words: Vec<&str> = self.tokens[sign.clone()].iter().map(|token| &*token.text).collect();
                let words = format!(",'{}',", words.join(" "));
                for place in sign.clone() {
                    self.tokens[place].text = Cow::Borrowed("");
                }
                self.tokens[sign.start].text = Cow::Owned(words);
                self.wrap(start, "compared");
            }
            _ => {
                for part in parts {
                    self.open(part.start, "weighed");
                    self.tokens[part.end - 1].after.push(")");
                }
            }
        }
        Some(())
    }

    /// The places of a sign that compares, once it is read.
    fn comparing(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        if self.is("not") && self.tokens[self.at + 1].text == "in" {
            self.at += 2;
        } else if self.is_any(&["==", "!=", "<", "<=", ">", ">=", "in"]) {
            self.at += 1;
        } else {
            return None;
        }
        Some(start..self.at)
    }

    fn sum(&mut self) -> Option<()> {
        let start = self.at;
        self.joined()?;
        let mut is_sum = false;
        while self.is_any(&["+", "-"]) {
            if self.marks && !is_sum {
                self.wrap(start, "unmarked");
            }
            is_sum = true;
            self.at += 1;
            let part = self.at;
            self.joined()?;
            if self.marks {
                self.wrap(part, "unmarked");
            }
        }
        if is_sum {
            self.wrap(start, "listed");
        }
        Some(())
    }

    fn joined(&mut self) -> Option<()> {
        let start = self.at;
        self.product()?;
        let mut is_joined = false;
        while self.is("~") {
            if !is_joined {
                self.wrap(start, "text");
                is_joined = true;
            }
            self.at += 1;
            let part = self.at;
            self.product()?;
            self.wrap(part, "text");
        }
        Some(())
    }

    fn product(&mut self) -> Option<()> {
        let start = self.at;
        self.power()?;
        let mut is_product = false;
        loop {
            if self.skip("%") {
                self.change(",");
                self.power()?;
                self.wrap(start, "remainder");
            } else if self.is_any(&["*", "/", "//"]) {
                is_product |= self.is("*");
                self.at += 1;
                self.power()?;
            } else {
                break;
            }
        }
        if is_product {
            self.wrap(start, "listed");
        }
        Some(())
    }

    fn power(&mut self) -> Option<()> {
        self.unary(true)?;
        while self.skip("**") {
            self.unary(true)?;
        }
        Some(())
    }

    fn unary(&mut self, with_filters: bool) -> Option<()> {
        self.depth += 1;
        (self.depth <= DEEPEST).then_some(())?;
        let start = self.at;
        if self.skip("-") {
            self.unary(false)?;
        } else if self.skip("+") {
            self.change("");
            self.unary(false)?;
            self.wrap(start, "number");
        } else {
            self.primary()?;
            self.postfix(start)?;
        }
        if with_filters {
            self.filters()?;
        }
        self.depth -= 1;
        Some(())
    }

    fn primary(&mut self) -> Option<()> {
        let kind = self.tokens[self.at].kind;
        match kind {
            Kind::Name => self.at += 1,
            Kind::Number => self.at += 1,
            Kind::Text => {
                while self.tokens[self.at].kind == Kind::Text {
                    let token = &mut self.tokens[self.at];
                    token.text = Cow::Owned(literal(&token.text)?);
                    self.at += 1;
                }
            }
            Kind::End => return None,
            Kind::Sign if self.skip("(") => {
                if !self.is(")") {
                    self.tuple(true)?;
                }
                self.expect(")")?;
            }
            Kind::Sign if self.skip("[") => {
                if !self.is("]") {
                    self.tuple(true)?;
                }
                self.expect("]")?;
            }
            Kind::Sign => {
                self.expect("{")?;
                while !self.is("}") {
                    let key = self.at;
                    self.expression(true)?;
                    if self.at > key + 1 || self.tokens[key].kind == Kind::Name {
                        self.wrap(key, "weighed");
                    }
                    self.expect(":")?;
                    self.expression(true)?;
                    if !self.skip(",") {
                        break;
                    }
                }
                self.expect("}")?;
            }
        }
        Some(())
    }

    fn postfix(&mut self, start: usize) -> Option<()> {
        loop {
            if self.skip(".") {
                let dot = self.at - 1;
                let field = &self.tokens[self.at];
                match field.kind {
                    Kind::Name if self.tokens[self.at + 1].text == "(" => self.at += 1,
                    Kind::Name => {
                        let quoted = format!("'{}'", field.text);
                        self.tokens[self.at].text = Cow::Owned(quoted);
                        self.at += 1;
                        self.tokens[dot].text = Cow::Borrowed(",");
                        self.wrap(start, "field");
                    }
                    Kind::Number => {
                        self.at += 1;
                        self.tokens[dot].text = Cow::Borrowed(",");
                        self.wrap(start, "item");
                    }
                    _ => return None,
                }
            } else if self.skip("[") {
                self.change(",");
                self.subscript(start)?;
            } else if self.is("(") {
                self.arguments()?;
            } else {
                return Some(());
            }
        }
    }

    /// What stands between square brackets, with the closing one.
    fn subscript(&mut self, start: usize) -> Option<()> {
        let mut colons = 0;
        let mut is_given = false;
        while !self.skip("]") {
            if self.skip(":") {
                colons += 1;
                self.change(if is_given { "," } else { "none," });
                is_given = false;
            } else if is_given {
                return None;
            } else {
                self.expression(true)?;
                is_given = true;
            }
        }
        let end = match (colons, is_given) {
            (0, true) => ")",
            (1, true) => ",none)",
            (1, false) => "none,none)",
            (2, true) => ")",
            (2, false) => "none)",
            _ => return None,
        };
        self.change(end);
        self.open(start, if colons == 0 { "item" } else { "slice" });
        Some(())
    }

    /// Arguments of a call, or names of a macro's, in round brackets.
    pub(super) fn arguments(&mut self) -> Option<()> {
        self.expect("(")?;
        while !self.skip(")") {
            if self.is_any(&["*", "**"]) {
                self.at += 1;
            } else if self.tokens[self.at].kind == Kind::Name && self.tokens[self.at + 1].text == "=" {
                self.at += 2;
            }
            self.expression(true)?;
            if !self.skip(",") {
                self.expect(")")?;
                break;
            }
        }
        Some(())
    }

    /// Filters and tests behind a value.
    pub(super) fn filters(&mut self) -> Option<()> {
        loop {
            if self.skip("|") {
                self.filter()?;
            } else if self.skip("is") {
                self.skip("not");
                self.name()?;
                if self.is("(") {
                    self.arguments()?;
                } else if self.takes_argument() {
                    let start = self.at;
                    self.primary()?;
                    self.postfix(start)?;
                }
            } else {
                return Some(());
            }
        }
    }

    pub(super) fn filter(&mut self) -> Option<()> {
        self.name()?;
        if self.is("(") { self.arguments() } else { Some(()) }
    }

    /// True before a test's argument without brackets.
    fn takes_argument(&self) -> bool {
        let token = &self.tokens[self.at];
        match token.kind {
            Kind::Name => !["else", "or", "and", "if", "is", "not", "in", "recursive"].contains(&&*token.text),
            Kind::Number | Kind::Text => true,
            Kind::Sign => ["[", "{"].contains(&&*token.text),
            Kind::End => false,
        }
    }
}
