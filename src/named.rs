//! Enums whose variants are known by a name.

/// Declares such an enum, with the name of each variant, which is how it is displayed as well.
macro_rules! named {
    ($(#[$of_enum:meta])* $vis:vis enum $type:ident { $($(#[$of_variant:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$of_enum])*
        $vis enum $type { $($(#[$of_variant])* $variant,)+ }

        #[allow(dead_code, reason = "not every one is listed and read")]
        impl $type {
            /// Every one, in this order.
            $vis const ALL: [Self; [$($name,)+].len()] = [$(Self::$variant,)+];

            /// The one of this name.
            $vis fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.name() == name)
            }

            /// Its name.
            $vis fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

pub(crate) use named;
