//! Splunk's search macros.
//!
//! Every published search ends in a macro `<its name>_filter`, where the user puts the exceptions of the site. Unless
//! the user defines it, it is empty: it lets everything through.

use std::collections::BTreeMap;

/// A search macro.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Macro {
    /// Its name.
    pub name: String,
    /// The names of its arguments, which stand in the definition as `$name$`.
    pub arguments: Vec<String>,
    /// What it stands for.
    pub definition: String,
    /// Whether the definition is an expression, whose text it stands for.
    pub is_eval: bool,
    /// An expression that must be true of the arguments; empty: anything goes.
    pub validation: String,
    /// What is said where it is not.
    pub message: String,
    /// The file that it is from; empty if the user gave it in the call.
    pub path: String,
}

/// Search macros, by name and number of arguments.
#[derive(Clone, Debug, Default)]
pub struct Macros {
    known: BTreeMap<(String, usize), Macro>,
}

impl Macros {
    /// Adds a macro; one of the same name and number of arguments gives way.
    pub fn insert(&mut self, definition: Macro) {
        self.known.insert((definition.name.clone(), definition.arguments.len()), definition);
    }

    /// Adds macros as the user gives them in a call: `NAME=DEFINITION` or `NAME(a,b)=DEFINITION`. The text is handed
    /// back if it is neither.
    pub fn insert_definition(&mut self, text: &str) -> Result<(), String> {
        let (head, definition) = text.split_once('=').ok_or_else(|| text.to_owned())?;
        let (name, arguments) = match head.trim().split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').ok_or_else(|| text.to_owned())?),
            None => (head.trim(), ""),
        };
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
            return Err(text.to_owned());
        }
        self.insert(Macro {
            name: name.to_owned(),
            arguments: arguments.split(',').map(|a| a.trim().to_owned()).filter(|a| !a.is_empty()).collect(),
            definition: definition.to_owned(),
            is_eval: false,
            validation: String::new(),
            message: String::new(),
            path: String::new(),
        });
        Ok(())
    }

    /// What a call of this macro stands for, with the arguments filled in. `None` if it is not defined; a filter macro
    /// (`…_filter`, without arguments) that is not defined stands for nothing.
    pub fn expansion(&self, name: &str, arguments: &[&str]) -> Option<String> {
        match self.known.get(&(name.to_owned(), arguments.len())) {
            Some(found) => Some(
                found.arguments.iter().zip(arguments).fold(found.definition.clone(), |text, (parameter, argument)| {
                    text.replace(&format!("${parameter}$"), argument)
                }),
            ),
            None if arguments.is_empty() && name.ends_with("_filter") => Some(String::new()),
            None => None,
        }
    }

    /// A macro, by its name and the number of its arguments.
    pub fn find(&self, name: &str, arguments: usize) -> Option<&Macro> {
        self.known.get(&(name.to_owned(), arguments))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Macro> {
        self.known.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_empty_until_the_user_sets_them() {
        let mut macros = Macros::default();
        assert_eq!(macros.expansion("my_rule_filter", &[]).as_deref(), Some(""));
        assert_eq!(macros.expansion("sysmon", &[]), None);
        macros.insert_definition("my_rule_filter=search NOT user=admin").expect("a definition");
        assert_eq!(macros.expansion("my_rule_filter", &[]).as_deref(), Some("search NOT user=admin"));
    }

    #[test]
    fn arguments_are_filled_in() {
        let mut macros = Macros::default();
        macros.insert_definition("ctime(field)=convert ctime($field$)").expect("a definition");
        assert_eq!(macros.expansion("ctime", &["firstTime"]).as_deref(), Some("convert ctime(firstTime)"));
        assert_eq!(macros.expansion("ctime", &[]), None);
        assert_eq!(macros.insert_definition("no definition"), Err("no definition".to_owned()));
        assert_eq!(macros.insert_definition("bad name=x"), Err("bad name=x".to_owned()));
    }
}
