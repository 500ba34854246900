//! JSON as templates see it, with members in their order: the library's own objects have none.

use std::fmt;

use liquid::{
    ObjectView, ValueView,
    model::{
        ArrayView, DisplayCow, KStringCow, ObjectRender, ObjectSource, ScalarCow, State, Value as LiquidValue,
    },
};
use serde_json::{Map, Value};

/// A value.
#[derive(Debug)]
pub(super) enum View {
    Plain(LiquidValue),
    List(Vec<View>),
    Members(Members),
}

/// The members of an object.
#[derive(Debug)]
pub(super) struct Members(pub(super) Vec<(String, View)>);

// === impl View ===

impl View {
    pub(super) fn of(value: &Value) -> Self {
        Self::Plain(match value {
            Value::Null => LiquidValue::Nil,
            Value::Bool(truth) => LiquidValue::scalar(*truth),
            Value::String(text) => LiquidValue::scalar(text.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => LiquidValue::scalar(whole),
                (None, Some(float)) if number.is_f64() => LiquidValue::scalar(float),
                // Larger than any number that templates count with.
                _ => LiquidValue::scalar(number.to_string()),
            },
            Value::Array(items) => return Self::List(items.iter().map(Self::of).collect()),
            Value::Object(members) => return Self::Members(Members::of(members)),
        })
    }

    fn view(&self) -> &dyn ValueView {
        match self {
            Self::Plain(value) => value,
            Self::List(items) => items,
            Self::Members(members) => members,
        }
    }
}

impl ValueView for View {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        self.view().render()
    }

    fn source(&self) -> DisplayCow<'_> {
        self.view().source()
    }

    fn type_name(&self) -> &'static str {
        self.view().type_name()
    }

    fn query_state(&self, state: State) -> bool {
        self.view().query_state(state)
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        self.view().to_kstr()
    }

    fn to_value(&self) -> LiquidValue {
        self.view().to_value()
    }

    fn as_scalar(&self) -> Option<ScalarCow<'_>> {
        self.view().as_scalar()
    }

    fn as_array(&self) -> Option<&dyn ArrayView> {
        self.view().as_array()
    }

    fn as_object(&self) -> Option<&dyn ObjectView> {
        self.view().as_object()
    }

    fn is_nil(&self) -> bool {
        self.view().is_nil()
    }
}

// === impl Members ===

impl Members {
    pub(super) fn of(members: &Map<String, Value>) -> Self {
        Self(members.iter().map(|(name, value)| (name.clone(), View::of(value))).collect())
    }

    fn named(&self, name: &str) -> Option<&View> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

impl ValueView for Members {
    fn as_debug(&self) -> &dyn fmt::Debug {
        self
    }

    fn render(&self) -> DisplayCow<'_> {
        DisplayCow::Owned(Box::new(ObjectRender::new(self)))
    }

    fn source(&self) -> DisplayCow<'_> {
        DisplayCow::Owned(Box::new(ObjectSource::new(self)))
    }

    fn type_name(&self) -> &'static str {
        "object"
    }

    fn query_state(&self, state: State) -> bool {
        match state {
            State::Truthy => true,
            State::DefaultValue | State::Empty | State::Blank => self.0.is_empty(),
        }
    }

    fn to_kstr(&self) -> KStringCow<'_> {
        KStringCow::from_string(ObjectRender::new(self).to_string())
    }

    fn to_value(&self) -> LiquidValue {
        LiquidValue::Object(
            self.0.iter().map(|(name, value)| (name.clone().into(), value.to_value())).collect(),
        )
    }

    fn as_object(&self) -> Option<&dyn ObjectView> {
        Some(self)
    }
}

impl ObjectView for Members {
    fn as_value(&self) -> &dyn ValueView {
        self
    }

    fn size(&self) -> i64 {
        i64::try_from(self.0.len()).unwrap_or(i64::MAX)
    }

    fn keys<'k>(&'k self) -> Box<dyn Iterator<Item = KStringCow<'k>> + 'k> {
        Box::new(self.0.iter().map(|(name, _)| KStringCow::from_ref(name)))
    }

    fn values<'k>(&'k self) -> Box<dyn Iterator<Item = &'k dyn ValueView> + 'k> {
        Box::new(self.0.iter().map(|(_, value)| value.view()))
    }

    fn iter<'k>(&'k self) -> Box<dyn Iterator<Item = (KStringCow<'k>, &'k dyn ValueView)> + 'k> {
        Box::new(self.0.iter().map(|(name, value)| (KStringCow::from_ref(name), value.view())))
    }

    fn contains_key(&self, index: &str) -> bool {
        self.named(index).is_some()
    }

    fn get<'s>(&'s self, index: &str) -> Option<&'s dyn ValueView> {
        self.named(index).map(View::view)
    }
}
