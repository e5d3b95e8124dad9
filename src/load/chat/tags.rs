//! The tags of a template: what of their words is an expression.

use super::expressions::Parser;
use super::tokens::Kind;
use std::borrow::Cow;

impl Parser<'_> {
    /// The words of a tag.
    pub(super) fn tag(&mut self) -> Option<()> {
        match self.name()? {
            "if" | "elif" => self.tuple(true),
            "for" => {
                self.targets("in")?;
                self.tuple(false)?;
                if self.skip("if") {
                    self.expression(true)?;
                }
                self.skip("recursive");
                Some(())
            }
            "set" => self.set(),
            "macro" => {
                self.name()?;
                self.arguments()
            }
            "call" => {
                if self.is("(") {
                    self.arguments()?;
                }
                self.expression(true)
            }
            "filter" => {
                self.filter()?;
                self.filters()
            }
            "with" => {
                while !self.is_done() {
                    self.targets("=")?;
                    self.expression(true)?;
                    if !self.skip(",") {
                        break;
                    }
                }
                Some(())
            }
            "else" | "endif" | "endfor" | "endset" | "endmacro" | "endcall" | "endfilter" | "endwith" | "break"
            | "continue" => Some(()),
            _ => None,
        }
    }

    /// Names that are assigned to, up to and with the word behind them.
    fn targets(&mut self, end: &str) -> Option<()> {
        while !self.skip(end) {
            let token = &self.tokens[self.at];
            let is_target = token.kind == Kind::Name || [",", "(", ")"].contains(&&*token.text);
            is_target.then_some(())?;
            self.at += 1;
        }
        Some(())
    }

    fn set(&mut self) -> Option<()> {
        let start = self.at;
        let mut is_field = false;
        while !self.is_done() && !self.is_any(&["=", "|"]) {
            let token = &self.tokens[self.at];
            is_field |= token.text == ".";
            (token.kind == Kind::Name || [",", "(", ")", "."].contains(&&*token.text)).then_some(())?;
            self.at += 1;
        }
        (self.at > start).then_some(())?;
        if !self.skip("=") {
            return self.filters();
        }
        let value = self.at;
        self.tuple(true)?;
        // Two brackets, so that a tuple stays one value.
        self.tokens[value].before.push(Cow::Borrowed("("));
        self.open(value, if is_field { "kept_in" } else { "kept" });
        self.close("))");
        Some(())
    }
}
