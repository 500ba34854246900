//! The macro behind the one list of filters.

/// Declares the module of each filter and makes [`FilterConfig`](crate::FilterConfig) out of all of them.
macro_rules! filters {
    ($($module:ident => $variant:ident($config:ident)),+ $(,)?) => {
        $(pub mod $module;)+

        /// One entry of the configuration's list of filters: `- name`, or `- name: {parameters}`.
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FilterConfig {
            $(
                #[doc = concat!("The filter of [`", stringify!($module), "`].")]
                $variant($module::$config),
            )+
        }

        impl FilterConfig {
            /// The names of all filters, in the order in which a request usually meets them.
            pub const NAMES: &'static [&'static str] = &[$(<$module::$config as Filter>::NAME),+];

            /// The filter of this name, with its default parameters.
            pub fn with_defaults(name: &str) -> Option<Self> {
                $(
                    if name == <$module::$config as Filter>::NAME {
                        return Some(Self::$variant(Default::default()));
                    }
                )+
                None
            }

            fn as_filter(&self) -> &dyn registry::AnyFilter {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }

            /// The name in the list.
            pub fn name(&self) -> &'static str {
                self.as_filter().name()
            }

            /// The part of a request's way that it belongs to.
            pub fn phase(&self) -> Phase {
                self.as_filter().phase()
            }

            /// Filters that must stand before it.
            pub fn needs(&self) -> &'static [&'static str] {
                self.as_filter().needs()
            }

            /// Filters that must stand before it if they are in the list at all.
            pub fn after(&self) -> &'static [&'static str] {
                self.as_filter().after()
            }

            /// What is wrong with the parameters taken together.
            pub fn validate(&self) -> Vec<String> {
                self.as_filter().validate()
            }

            /// Builds the filter. Called once per configuration, never per request.
            pub fn layer(&self, deps: &Deps) -> FilterLayer {
                self.as_filter().layer(deps)
            }
        }

        impl registry::Registered for FilterConfig {
            const NAMES: &'static [&'static str] = FilterConfig::NAMES;

            fn with_defaults(name: &str) -> Option<Self> {
                FilterConfig::with_defaults(name)
            }

            fn read<'de, D: serde::Deserializer<'de>>(name: &str, parameters: D) -> Result<Self, D::Error> {
                $(
                    if name == <$module::$config as Filter>::NAME {
                        let config = <Option<$module::$config> as serde::Deserialize>::deserialize(parameters)?;
                        return Ok(Self::$variant(config.unwrap_or_default()));
                    }
                )+
                Err(serde::de::Error::unknown_variant(name, FilterConfig::NAMES))
            }
        }

        impl<'de> serde::Deserialize<'de> for FilterConfig {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(registry::EntryVisitor::<Self>::default())
            }
        }

        impl schemars::JsonSchema for FilterConfig {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                "Filter".into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let filters = [
                    $((
                        <$module::$config as Filter>::NAME,
                        generator.subschema_for::<$module::$config>(),
                    ),)+
                ];
                registry::entry_schema(filters)
            }
        }
    };
}
