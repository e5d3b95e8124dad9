//! Numbers and texts written to a format specification, which `%` and `str.format` share.

use super::arguments::float;
use super::limits::{room, wrong};
use super::python;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

/// Most digits of a fraction; more would be zeros of a number that has at most 1,100.
const MOST_DIGITS: usize = 60_000;

/// `[[fill]align][sign][#][0][width][grouping][.precision][type]`
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    pub(super) fill: Option<char>,
    /// `<`, `>`, `^`, or `=`, which pads between sign and digits.
    pub(super) align: Option<char>,
    /// `+`, `-` or a space.
    pub(super) sign: Option<char>,
    pub(super) alternate: bool,
    pub(super) zero: bool,
    pub(super) width: usize,
    /// `,` or `_`.
    pub(super) grouping: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

/// A number or a bound in digits at the beginning of a text, and the rest.
///
/// # Errors
/// When it is larger than any text may be.
pub(super) fn digits<'a>(state: &State<'_, '_>, text: &'a str) -> Result<(Option<usize>, &'a str), Error> {
    let length = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if length == 0 {
        return Ok((None, text));
    }
    let number = text[..length].parse().unwrap_or(usize::MAX);
    room(state, number)?;
    Ok((Some(number), &text[length..]))
}

impl Spec {
    /// As `str.format` writes it.
    ///
    /// # Errors
    /// When it is no specification, or asks for too much.
    pub(super) fn parse(state: &State<'_, '_>, text: &str) -> Result<Self, Error> {
        let mut spec = Self::default();
        let is_align = |c: char| "<>=^".contains(c);
        let mut letters = text.chars();
        let mut rest = text;
        match (letters.next(), letters.next()) {
            (Some(fill), Some(align)) if is_align(align) => {
                (spec.fill, spec.align) = (Some(fill), Some(align));
                rest = letters.as_str();
            }
            (Some(align), _) if is_align(align) => {
                spec.align = Some(align);
                rest = &text[1..];
            }
            _ => {}
        }
        if let Some(sign) = rest.chars().next().filter(|c| "+- ".contains(*c)) {
            spec.sign = Some(sign);
            rest = &rest[1..];
        }
        let mut flag = |mark: char| {
            let cut = rest.strip_prefix(mark);
            rest = cut.unwrap_or(rest);
            cut.is_some()
        };
        if flag('z') {
            return Err(wrong("the format option z is not supported"));
        }
        spec.alternate = flag('#');
        spec.zero = flag('0');
        let (width, behind) = digits(state, rest)?;
        (spec.width, rest) = (width.unwrap_or(0), behind);
        if let Some(grouping) = rest.chars().next().filter(|c| ",_".contains(*c)) {
            spec.grouping = Some(grouping);
            rest = &rest[1..];
        }
        if let Some(behind) = rest.strip_prefix('.') {
            (spec.precision, rest) = digits(state, behind)?;
            spec.precision.ok_or_else(|| wrong("a format has a point without a precision"))?;
        }
        let mut letters = rest.chars();
        spec.kind = letters.next();
        if letters.next().is_some() {
            return Err(wrong(format!("{text:?} is no format specification")));
        }
        Ok(spec)
    }

    /// `format(value, spec)` of Python.
    ///
    /// # Errors
    /// When the value cannot be written so.
    pub(super) fn write(&self, state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
        let unfit = || wrong(format!("a value of type {} cannot be written in this format", value.kind()));
        match (value.kind(), self.kind) {
            (ValueKind::String, None | Some('s')) => self.write_text(state, value.as_str().unwrap_or_default()),
            (ValueKind::Bool | ValueKind::Number, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) => {
                self.write_float(state, float(value).ok_or_else(unfit)?)
            }
            (ValueKind::Number, None) if !value.is_integer() => {
                self.write_float(state, float(value).ok_or_else(unfit)?)
            }
            (ValueKind::Bool, _) => self.write_whole(state, i128::from(value.is_true())),
            (ValueKind::Number, _) if value.is_integer() => {
                self.write_whole(state, i128::try_from(value.clone()).map_err(|_| unfit())?)
            }
            _ => Err(unfit()),
        }
    }

    fn write_text(&self, state: &State<'_, '_>, text: &str) -> Result<String, Error> {
        if self.sign.is_some() || self.alternate || self.grouping.is_some() || self.align == Some('=') {
            return Err(wrong("a text has no sign and no groups of digits"));
        }
        let cut = match self.precision.and_then(|most| text.char_indices().nth(most)) {
            Some((end, _)) => &text[..end],
            None => text,
        };
        self.pad(state, "", cut, '<')
    }

    pub(super) fn write_whole(&self, state: &State<'_, '_>, number: i128) -> Result<String, Error> {
        let magnitude = number.unsigned_abs();
        let (digits, prefix) = match self.kind {
            None | Some('d' | 'n') => (magnitude.to_string(), ""),
            Some('b') => (format!("{magnitude:b}"), "0b"),
            Some('o') => (format!("{magnitude:o}"), "0o"),
            Some('x') => (format!("{magnitude:x}"), "0x"),
            Some('X') => (format!("{magnitude:X}"), "0X"),
            Some('c') if self.sign.is_none() && !self.alternate => {
                let c = u32::try_from(number).ok().and_then(char::from_u32);
                let c = c.ok_or_else(|| wrong(format!("{number} is no character")))?;
                return self.pad(state, "", &c.to_string(), '<');
            }
            Some(kind) => return Err(wrong(format!("a whole number has no format {kind}"))),
        };
        if self.precision.is_some() {
            return Err(wrong("a whole number has no precision"));
        }
        let group = if matches!(self.kind, Some('b' | 'o' | 'x' | 'X')) { 4 } else { 3 };
        let sign = self.sign_of(number < 0).to_owned() + if self.alternate { prefix } else { "" };
        self.write_digits(state, &sign, &digits, "", group)
    }

    pub(super) fn write_float(&self, state: &State<'_, '_>, number: f64) -> Result<String, Error> {
        let precision = self.precision.unwrap_or(6);
        if precision > MOST_DIGITS {
            return Err(wrong(format!("{precision} digits are asked for, more than {MOST_DIGITS}")));
        }
        let size = number.abs();
        let upper = self.kind.is_some_and(char::is_uppercase);
        let mut text = match self.kind {
            _ if !size.is_finite() => if size.is_nan() { "nan" } else { "inf" }.to_owned(),
            Some('f' | 'F') => fixed(size, precision, self.alternate),
            Some('%') => fixed(size * 100.0, precision, self.alternate),
            Some('e' | 'E') => scientific(size, precision, self.alternate),
            Some(_) => general(size, precision, self.alternate, false),
            None => match self.precision {
                Some(precision) => general(size, precision, self.alternate, true),
                None => python::float_repr(size),
            },
        };
        if upper {
            text.make_ascii_uppercase();
        }
        if self.kind == Some('%') {
            text.push('%');
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let sign = self.sign_of(number.is_sign_negative() && !number.is_nan());
        self.write_digits(state, sign, &text[..end], &text[end..], 3)
    }

    fn sign_of(&self, is_negative: bool) -> &'static str {
        match self.sign {
            _ if is_negative => "-",
            Some('+') => "+",
            Some(' ') => " ",
            _ => "",
        }
    }

    /// Digits in groups, zeros before them, and what stands behind them.
    fn write_digits(
        &self,
        state: &State<'_, '_>,
        sign: &str,
        digits: &str,
        rest: &str,
        group: usize,
    ) -> Result<String, Error> {
        let is_filled = self.zero && self.align.is_none() || self.align == Some('=') && self.fill_of('=') == '0';
        let Some(mark) = self.grouping.filter(|_| !digits.is_empty()) else {
            return self.pad(state, sign, &(digits.to_owned() + rest), '>');
        };
        let mut digits = digits.to_owned();
        if is_filled {
            let wanted = self.width.saturating_sub(sign.len() + rest.len());
            room(state, wanted)?;
            // Zeros stand in groups as well; a mark never stands first.
            while digits.len() + (digits.len() - 1) / group < wanted {
                let missing = wanted - (digits.len() + (digits.len() - 1) / group);
                digits.insert_str(0, &"0".repeat((missing * group / (group + 1)).max(1)));
            }
        }
        let mut grouped = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(group) {
                grouped.push(mark);
            }
            grouped.push(digit);
        }
        self.pad(state, sign, &(grouped + rest), '>')
    }

    fn fill_of(&self, _align: char) -> char {
        self.fill.unwrap_or(if self.zero { '0' } else { ' ' })
    }

    /// Pads to the width. `=` pads behind the sign, and so does a zero before the width of a number.
    pub(super) fn pad(&self, state: &State<'_, '_>, sign: &str, text: &str, default: char) -> Result<String, Error> {
        let missing = self.width.saturating_sub(sign.len() + text.chars().count());
        let implied = if self.zero && default == '>' { '=' } else { default };
        let align = self.align.unwrap_or(implied);
        let fill = self.fill_of(align);
        room(state, missing.saturating_mul(fill.len_utf8()).saturating_add(text.len()))?;
        let filling = |count: usize| fill.to_string().repeat(count);
        Ok(match align {
            '<' => format!("{sign}{text}{}", filling(missing)),
            '^' => format!("{}{sign}{text}{}", filling(missing / 2), filling(missing - missing / 2)),
            '=' => format!("{sign}{}{text}", filling(missing)),
            _ => format!("{}{sign}{text}", filling(missing)),
        })
    }
}

fn fixed(size: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{size:.precision$}");
    if alternate && precision == 0 { text + "." } else { text }
}

fn scientific(size: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{size:.precision$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let point = if alternate && precision == 0 { "." } else { "" };
    format!("{mantissa}{point}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

/// `%g`: as many digits as asked for, with an exponent where it is small or large. `is_plain` is a float without a type, which
/// keeps one digit behind the point.
fn general(size: f64, precision: usize, alternate: bool, is_plain: bool) -> String {
    let digits = precision.max(1);
    let text = format!("{size:.*e}", digits - 1);
    let power: i64 = text.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    let highest = digits as i64 - i64::from(is_plain);
    let (text, tail) = if power < -4 || power >= highest {
        let text = scientific(size, digits - 1, alternate);
        let (mantissa, tail) = text.split_once('e').map(|(m, p)| (m.to_owned(), format!("e{p}"))).unwrap_or_default();
        (mantissa, tail)
    } else {
        (fixed(size, usize::try_from(digits as i64 - 1 - power).unwrap_or(0), alternate), String::new())
    };
    let cut = if alternate || !text.contains('.') { &text } else { text.trim_end_matches('0').trim_end_matches('.') };
    let point = if is_plain && tail.is_empty() && !cut.contains('.') { ".0" } else { "" };
    format!("{cut}{point}{tail}")
}
