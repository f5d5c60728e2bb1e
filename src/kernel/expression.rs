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

/// Evaluates an expression. `value` returns the value of a name.
///
/// # Errors
/// Returns an error for the first text that is not part of an expression, or for a name whose value is not a number.
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
            sum += if operator == "+" { next } else { -next };
        }
        Ok(sum)
    }

    fn product(&mut self) -> Result<i64> {
        let mut product = self.atom()?;
        while let Some(operator) = self.operator(&["*", "/", "%"]) {
            let next = self.atom()?;
            product = match operator {
                "*" => product * next,
                _ if next == 0 => return self.error("no division by 0"),
                "/" => product / next,
                _ => product % next,
            };
        }
        Ok(product)
    }

    fn atom(&mut self) -> Result<i64> {
        if self.operator(&["("]).is_some() {
            let inner = self.comparison()?;
            return if self.operator(&[")"]).is_some() { Ok(inner) } else { self.error("a closing parenthesis") };
        }
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let number = match word {
            "true" => Some(1),
            "false" => Some(0),
            _ => word.strip_suffix('u').unwrap_or(word).parse().ok(),
        };
        let number = number.or_else(|| match (self.value)(word)? {
            Value::Number(number) => Some(number),
            Value::Word(_) => None,
        });
        let Some(number) = number else { return self.error("a number or the name of one") };
        self.rest = rest.trim_start();
        Ok(number)
    }
}
