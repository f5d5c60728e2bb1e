//! The integer expressions of the directives in a shader file.
//!
//! ```text
//! comparison = sum (("==" | "!=" | "<=" | ">=" | "<" | ">") sum)?
//! sum        = product (("+" | "-") product)*
//! product    = atom (("*" | "/" | "%") atom)*
//! atom       = number | name | "true" | "false" | "(" comparison ")"
//! ```
//!
//! A comparison has the value 1 or 0, `true` is 1 and `false` is 0. A number may end in `u`, which changes nothing.

/// The value of a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    /// A number.
    Number(i64),
    /// Any other text. Expressions cannot compute with it.
    Word(&'a str),
}

/// A number, or a description of the mistake in the expression.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// Returns the number that a word stands for.
pub(crate) fn number(word: &str) -> Option<i64> {
    match word {
        "true" => Some(1),
        "false" => Some(0),
        // `parse` alone would accept a sign.
        _ if word.starts_with(|c: char| c.is_ascii_digit()) => word.strip_suffix('u').unwrap_or(word).parse().ok(),
        _ => None,
    }
}

/// Returns whether a text can be the name of a constant.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| in_word(c) && !c.is_numeric()) && text.chars().all(in_word)
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Evaluates an expression. `value` returns the value of a name.
///
/// # Errors
/// Returns an error for the first text that is not part of an expression, for a name whose value is not a number, for
/// overflow, and for a division by 0.
pub(crate) fn evaluate<'a>(text: &str, value: &dyn Fn(&str) -> Option<Value<'a>>) -> Result<i64> {
    let mut parser = Parser { text, rest: text.trim(), value };
    let number = parser.comparison()?;
    if parser.rest.is_empty() { Ok(number) } else { parser.error("an operator") }
}

struct Parser<'t, 'a, 'v> {
    text: &'t str,
    rest: &'t str,
    value: &'v dyn Fn(&str) -> Option<Value<'a>>,
}

impl Parser<'_, '_, '_> {
    fn error<T>(&self, expected: &str) -> Result<T> {
        Err(format!("expected {expected} before {:?} in {:?}", self.rest, self.text))
    }

    /// Consumes the next operator if it is one of these, and returns it.
    fn operator<'o>(&mut self, operators: &[&'o str]) -> Option<&'o str> {
        let found = operators.iter().find(|operator| self.rest.starts_with(**operator))?;
        self.rest = self.rest[found.len()..].trim_start();
        Some(found)
    }

    fn comparison(&mut self) -> Result<i64> {
        let left = self.sum()?;
        let Some(operator) = self.operator(&["==", "!=", "<=", ">=", "<", ">"]) else { return Ok(left) };
        let right = self.sum()?;
        Ok(i64::from(match operator {
            "==" => left == right,
            "!=" => left != right,
            "<=" => left <= right,
            ">=" => left >= right,
            "<" => left < right,
            _ => left > right,
        }))
    }

    fn sum(&mut self) -> Result<i64> {
        let mut sum = self.product()?;
        while let Some(operator) = self.operator(&["+", "-"]) {
            let next = self.product()?;
            let result = if operator == "+" { sum.checked_add(next) } else { sum.checked_sub(next) };
            sum = self.defined(result)?;
        }
        Ok(sum)
    }

    fn product(&mut self) -> Result<i64> {
        let mut product = self.atom()?;
        while let Some(operator) = self.operator(&["*", "/", "%"]) {
            let next = self.atom()?;
            product = self.defined(match operator {
                "*" => product.checked_mul(next),
                "/" => product.checked_div(next),
                _ => product.checked_rem(next),
            })?;
        }
        Ok(product)
    }

    fn defined(&self, result: Option<i64>) -> Result<i64> {
        result.map_or_else(|| self.error("no overflow and no division by 0"), Ok)
    }

    fn atom(&mut self) -> Result<i64> {
        if self.operator(&["("]).is_some() {
            let inner = self.comparison()?;
            return if self.operator(&[")"]).is_some() { Ok(inner) } else { self.error("a closing parenthesis") };
        }
        let end = self.rest.find(|c| !in_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let number = number(word).or_else(|| match (self.value)(word)? {
            Value::Number(number) => Some(number),
            Value::Word(_) => None,
        });
        let Some(number) = number else { return self.error("a number or the name of one") };
        self.rest = rest.trim_start();
        Ok(number)
    }
}
