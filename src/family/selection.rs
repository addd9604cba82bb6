//! Which roles and which layers a question is about, as a person writes it.

use std::str::FromStr;

use super::{FamilyError, LayerIndex, Role, RoleKind, Slot};
use crate::hint::nearest;

/// A choice of roles: `all`, `norms`, `matrices`, names of roles, or several with commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSelection {
    roles: Vec<Role>,
    named: Vec<Role>,
}

impl RoleSelection {
    /// The roles, in the order in which reports list them.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Whether a role was named itself, and not only as one of `all`, `norms` or `matrices`.
    pub fn names(&self, role: Role) -> bool {
        self.named.contains(&role)
    }

    /// Whether a tensor's role is chosen. Weight or bias, stack, expert and multi-token prediction make no difference.
    pub fn contains(&self, slot: Slot) -> bool {
        self.roles.contains(&slot.role)
    }
}

impl FromStr for RoleSelection {
    type Err = FamilyError;

    /// Reads a selection; roles may stand twice.
    fn from_str(text: &str) -> Result<Self, FamilyError> {
        let (mut wanted, mut named) = (Vec::new(), Vec::new());
        for piece in text.split(',').map(str::trim) {
            let names = || Role::ALL.iter().map(|role| role.name());
            let unknown = |_| FamilyError::RoleSelection { piece: piece.to_owned(), similar: nearest(piece, names()) };
            match piece {
                "all" => wanted.extend(Role::ALL),
                "norms" => wanted.extend(of_kind(RoleKind::Norm)),
                "matrices" => wanted.extend(of_kind(RoleKind::Matrix)),
                _ => named.push(piece.parse::<Role>().map_err(unknown)?),
            }
        }
        let roles = Role::ALL.iter().filter(|role| wanted.contains(role) || named.contains(role));
        Ok(Self { roles: roles.copied().collect(), named })
    }
}

fn of_kind(kind: RoleKind) -> impl Iterator<Item = &'static Role> {
    Role::ALL.iter().filter(move |role| role.kind() == kind)
}

/// A choice of layers: `all`, `last`, `3`, `5-30`, `5-30:5`, or several with commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSelection {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    All,
    Last,
    Span { first: u32, last: u32, step: u32 },
}

impl LayerSelection {
    /// Every layer.
    pub fn all() -> Self {
        Self { pieces: vec![Piece::All] }
    }

    /// One layer.
    pub fn one(layer: LayerIndex) -> Self {
        let piece = Piece::Span { first: layer.0, last: layer.0, step: 1 };
        Self { pieces: vec![piece] }
    }

    /// Whether it chooses whatever there is.
    pub fn is_all(&self) -> bool {
        self.pieces.contains(&Piece::All)
    }

    /// Whether it chooses each model's last layer and no other.
    pub fn is_last(&self) -> bool {
        self.pieces == [Piece::Last]
    }

    /// The layers that it names one by one, not as part of a range.
    pub fn numbers(&self) -> impl Iterator<Item = LayerIndex> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Span { first, last, .. } if first == last => Some(LayerIndex(*first)),
            _ => None,
        })
    }

    /// Whether it chooses `layer` by `all` or by number, whichever layer is a model's last.
    pub fn names(&self, layer: LayerIndex) -> bool {
        self.pieces.iter().any(|piece| piece.contains(layer, None))
    }

    /// The chosen ones among the layers that a model has, which must be in ascending order and without multi-token
    /// prediction; in the same order, none twice. A chosen layer that the model lacks is left out.
    pub fn resolve(&self, available: &[LayerIndex]) -> Vec<LayerIndex> {
        let last = available.last().copied();
        available.iter().copied().filter(|&layer| self.pieces.iter().any(|piece| piece.contains(layer, last))).collect()
    }
}

impl FromStr for LayerSelection {
    type Err = FamilyError;

    fn from_str(text: &str) -> Result<Self, FamilyError> {
        let pieces = text.split(',').map(str::trim).map(|piece| {
            Piece::parse(piece).map_err(|reason| FamilyError::LayerSelection { piece: piece.to_owned(), reason })
        });
        Ok(Self { pieces: pieces.collect::<Result<_, _>>()? })
    }
}

impl Piece {
    fn parse(piece: &str) -> Result<Self, &'static str> {
        let number = |text: &str| -> Result<u32, &'static str> {
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err("it is not a layer number, a range, `all` or `last`");
            }
            text.parse().map_err(|_| "the number is too large")
        };
        match piece {
            "" => return Err("it is empty"),
            "all" => return Ok(Self::All),
            "last" => return Ok(Self::Last),
            _ => {}
        }
        let (span, step) = match piece.split_once(':') {
            Some((span, _)) if !span.contains('-') => return Err("only a range can have a step"),
            Some((span, step)) => (span, number(step)?),
            None => (piece, 1),
        };
        let (first, last) = match span.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(span)?, number(span)?),
        };
        if step == 0 {
            return Err("a step of 0 leads nowhere");
        }
        if first > last {
            return Err("the range ends before it begins");
        }
        Ok(Self::Span { first, last, step })
    }

    fn contains(self, layer: LayerIndex, last_layer: Option<LayerIndex>) -> bool {
        match self {
            Self::All => true,
            Self::Last => Some(layer) == last_layer,
            Self::Span { first, last, step } => {
                (first..=last).contains(&layer.0) && (layer.0 - first).is_multiple_of(step)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hint::Hint;

    fn layers(text: &str, available: u32) -> Vec<u32> {
        let available: Vec<_> = (0..available).map(LayerIndex).collect();
        let chosen = text.parse::<LayerSelection>().unwrap().resolve(&available);
        chosen.into_iter().map(|layer| layer.0).collect()
    }

    #[test]
    fn layers_are_chosen_in_every_form() {
        assert_eq!(layers("all", 3), [0, 1, 2]);
        assert_eq!(layers("0,10,20", 12), [0, 10]);
        assert_eq!(layers("5-30:5", 40), [5, 10, 15, 20, 25, 30]);
        assert_eq!(layers("2-3", 40), [2, 3]);
        assert_eq!(layers("last", 4), [3]);
        assert_eq!(layers("last, 0-4:2,3,0", 10), [0, 2, 3, 4, 9]);
        assert_eq!(layers("last", 0), Vec::<u32>::new());
        assert_eq!(layers("0-4294967295", 2), [0, 1]);
    }

    #[test]
    fn the_last_layer_is_not_named_and_every_other_choice_names_its_layers() {
        let names = |text: &str, layer| text.parse::<LayerSelection>().unwrap().names(LayerIndex(layer));
        assert!(names("all", 46) && names("46", 46) && names("last,40-50:2", 46));
        assert!(!names("last", 46) && !names("40-50:4", 46));
    }

    #[test]
    fn a_bad_piece_is_named_and_the_forms_are_told() {
        for (text, piece) in [
            ("0,x", "`x`"),
            ("", "``"),
            ("1-", "`1-`"),
            ("9-3", "`9-3`"),
            ("1-5:0", "`1-5:0`"),
            ("3:2", "`3:2`"),
            ("-1", "`-1`"),
            ("+1", "`+1`"),
            ("99999999999", "`99999999999`"),
        ] {
            let error = text.parse::<LayerSelection>().unwrap_err();
            assert!(error.to_string().contains(piece), "{text}: {error}");
            assert!(error.hint().unwrap().contains("5-30:5"));
        }
    }

    #[test]
    fn roles_are_chosen_by_name_and_by_class() {
        let two = "q_proj, input_layernorm".parse::<RoleSelection>().unwrap();
        assert_eq!(two.roles(), [Role::InputLayernorm, Role::QProj]);
        let norms = "norms".parse::<RoleSelection>().unwrap();
        assert!(norms.roles().contains(&Role::FinalNorm) && !norms.roles().contains(&Role::QProj));
        assert_eq!("all".parse::<RoleSelection>().unwrap().roles(), Role::ALL);
    }

    #[test]
    fn a_misspelt_role_is_named_and_the_nearest_is_suggested() {
        let error = "norms,input_layer_norm".parse::<RoleSelection>().unwrap_err();
        assert!(error.to_string().contains("`input_layer_norm`"));
        assert!(error.hint().unwrap().contains("`input_layernorm`"));
        let error = "".parse::<RoleSelection>().unwrap_err();
        assert!(error.hint().unwrap().contains("norms"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_resolves_in_order(text in r"[a-z0-9,:\- ]{0,20}") {
            let available: Vec<_> = (0..50).map(LayerIndex).collect();
            if let Ok(selection) = text.parse::<LayerSelection>() {
                let chosen = selection.resolve(&available);
                prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            }
            let _ = text.parse::<RoleSelection>();
        }
    }
}
