//! Which contenders and shapes somebody asks for.

use super::contender::{CONTENDERS, Contender};
use super::shape::{SHAPES, Shape};

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// These shapes.
    pub shapes: Vec<Shape>,
    /// These contenders.
    pub contenders: Vec<Contender>,
}

impl Choice {
    /// What these words ask for: each is a shape, the beginning of contenders' names, or
    /// `SHAPE/CONTENDER`. Of what no word is about, all are meant. The floors always take part:
    /// without them there is no ratio.
    ///
    /// # Errors
    ///
    /// A word that names nothing, with all names.
    pub fn of(words: &[String]) -> Result<Self, String> {
        let parts: Vec<&str> = words.iter().flat_map(|word| word.split('/')).collect();
        let (shapes, names): (Vec<&str>, Vec<&str>) = parts
            .into_iter()
            .partition(|part| Shape::named(part).is_some());
        let wants = |contender: &Contender, name: &str| contender.name.starts_with(name);
        for name in &names {
            if !CONTENDERS.iter().any(|contender| wants(contender, name)) {
                return Err(unknown(name));
            }
        }
        let contenders = CONTENDERS.into_iter().filter(|contender| {
            let wanted = names.iter().any(|name| wants(contender, name));
            names.is_empty() || wanted || contender.is_floor()
        });
        let shapes = SHAPES
            .into_iter()
            .filter(|shape| shapes.is_empty() || shapes.contains(&shape.name));
        Ok(Self {
            shapes: shapes.collect(),
            contenders: contenders.collect(),
        })
    }
}

fn unknown(name: &str) -> String {
    let shapes = SHAPES.map(|shape| shape.name).join(", ");
    let contenders = CONTENDERS.map(|contender| contender.name).join(", ");
    format!("{name} is neither a shape ({shapes}) nor a contender ({contenders})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &[&str]) -> (Vec<&'static str>, Vec<&'static str>) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let choice = Choice::of(&words).unwrap();
        let shapes = choice.shapes.iter().map(|shape| shape.name);
        let names = choice.contenders.iter().map(|contender| contender.name);
        (shapes.collect(), names.collect())
    }

    #[test]
    fn who_asks_for_nothing_gets_everything() {
        let (shapes, contenders) = chosen(&[]);
        assert_eq!(shapes, SHAPES.map(|shape| shape.name));
        assert_eq!(contenders, CONTENDERS.map(|contender| contender.name));
    }

    #[test]
    fn the_floors_take_part_in_whatever_is_asked_for() {
        let (shapes, contenders) = chosen(&["1000x1", "line/chat-rooms"]);
        assert_eq!(shapes, ["1000x1", "line"]);
        assert_eq!(
            contenders,
            ["chat-rooms", "chat-rooms-sqlite", "floor-1", "floor-16"]
        );
    }

    #[test]
    fn a_name_that_nobody_has_is_refused_with_those_that_there_are() {
        let refusal = Choice::of(&["chatty".to_owned()]).unwrap_err();
        assert!(
            refusal.starts_with("chatty is neither a shape (100x1, "),
            "{refusal}"
        );
        assert!(refusal.contains("socketioxide"));
    }
}
