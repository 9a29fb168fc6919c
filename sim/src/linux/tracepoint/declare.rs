//! How the records are declared: once, and what turns them to a kernel's numbers and back follows.

use super::{Family, Ipv4, Protocol, RstReason, TcpState};

/// A type of a field whose values the kernel's records hold as a number.
pub(super) trait InKernel: Copy {
    /// The number that stands for it, of which a record has the lower bytes.
    fn to_kernel(self) -> i64;
    /// What the number stands for, or what it means that the kernel's records have no such field. None if
    /// the model has no such value.
    fn from_kernel(number: Option<i64>) -> Option<Self>;
}

impl InKernel for u64 {
    fn to_kernel(self) -> i64 {
        self.cast_signed()
    }
    fn from_kernel(number: Option<i64>) -> Option<u64> {
        Some(number.unwrap_or(0).cast_unsigned())
    }
}

macro_rules! numbers_in_kernel {
    ($($ty:ty),*) => {$(
        impl InKernel for $ty {
            fn to_kernel(self) -> i64 {
                self.into()
            }
            fn from_kernel(number: Option<i64>) -> Option<$ty> {
                number.unwrap_or(0).try_into().ok()
            }
        }
    )*};
}
numbers_in_kernel!(u16, i32);

macro_rules! enums_in_kernel {
    ($($ty:ty),*) => {$(
        impl InKernel for $ty {
            fn to_kernel(self) -> i64 {
                self.number().into()
            }
            fn from_kernel(number: Option<i64>) -> Option<$ty> {
                let mut all = <$ty>::ALL.iter().copied();
                all.find(|each| i64::from(each.number()) == number.unwrap_or(0))
            }
        }
    )*};
}
enums_in_kernel!(TcpState, Family, Protocol);

impl InKernel for RstReason {
    fn to_kernel(self) -> i64 {
        match self {
            // A record of a kernel that gives no reasons, in the layout of one that does.
            RstReason::NotReported => 0,
            reason => reason.number().into(),
        }
    }
    fn from_kernel(number: Option<i64>) -> Option<RstReason> {
        let Some(number) = number else {
            return Some(RstReason::NotReported);
        };
        let mut all = RstReason::ALL.iter().copied();
        all.find(|each| i64::from(each.number()) == number)
    }
}

/// The octets, the first one highest.
impl InKernel for Ipv4 {
    fn to_kernel(self) -> i64 {
        self.0.into()
    }
    fn from_kernel(number: Option<i64>) -> Option<Ipv4> {
        number.unwrap_or(0).try_into().ok().map(Ipv4)
    }
}

/// A field of a record whose value the model lacks.
pub(super) struct NoSuchValue {
    pub(super) field: &'static str,
    pub(super) number: i64,
}

/// Declares the records, as [`records!`](crate::records) does: those of tracepoints, whose names and fields are the
/// kernel's and which say whether they fire in softirq, and those of applications. The former are also taken
/// apart to the kernel's numbers, in the order of the fields, and put together again.
macro_rules! tracepoint_records {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident {
            tracepoints { $(
                $(#[doc = $kind_doc:literal])*
                $variant:ident = $kind:literal, $words:literal {
                    $( $(#[doc = $field_doc:literal])* $field:ident : $ty:ty, )*
                }
            )* }
            applications { $(
                $(#[doc = $app_doc:literal])*
                $app:ident = $app_kind:literal, $app_words:literal {
                    $( $(#[doc = $app_field_doc:literal])* $app_field:ident : $app_ty:ty, )*
                }
            )* }
        }
    ) => {
        crate::records! {
            $(#[doc = $doc])*
            pub enum $name {
                $(
                    $(#[doc = $kind_doc])*
                    $variant = $kind, $words {
                        $( $(#[doc = $field_doc])* $field: $ty, )*
                    } also softirq: bool = $name::softirq where "Whether it fires in softirq, where pid and comm are those of whoever was interrupted; absent where that depends.",
                )*
                $(
                    $(#[doc = $app_doc])*
                    $app = $app_kind, $app_words {
                        $( $(#[doc = $app_field_doc])* $app_field: $app_ty, )*
                    },
                )*
            }
        }

        impl $name {
            /// Between whom it happened, as the record has it.
            pub fn ends(&self) -> Ends {
                match self {
                    $( $name::$variant { saddr, sport, daddr, dport, .. } )|*
                    $( | $name::$app { saddr, sport, daddr, dport, .. } )* => {
                        ((*saddr, *sport), (*daddr, *dport))
                    }
                }
            }

            /// The names of the fields that the tracepoint `kind` has here, in the order of their
            /// declaration; none if it is no tracepoint.
            fn tracepoint_fields(kind: &str) -> Option<&'static [&'static str]> {
                match kind {
                    $( $kind => Some(&[ $( stringify!($field), )* ]), )*
                    _ => None,
                }
            }

            /// Writes the kernel's numbers for its fields, in the order of their declaration; none if
            /// no tracepoint reports it.
            #[inline]
            fn write_numbers(&self, numbers: &mut [i64]) -> Option<()> {
                match self {
                    $( $name::$variant { $( $field, )* } => {
                        let mut numbers = numbers.iter_mut();
                        $( *numbers.next()? = declare::InKernel::to_kernel(*$field); )*
                    } )*
                    $( $name::$app { .. } )|* => return None,
                }
                Some(())
            }

            /// The record of the tracepoint `kind`, from the kernel's numbers for its fields, as far as the
            /// kernel has them; none if there is no such tracepoint.
            fn from_numbers(
                kind: &str,
                numbers: &[Option<i64>],
            ) -> Option<Result<$name, declare::NoSuchValue>> {
                let mut numbers = numbers.iter().copied();
                let mut number = || numbers.next().flatten();
                Some(match kind {
                    $( $kind => {
                        $( let $field = number(); )*
                        $(
                            let Some($field) = declare::InKernel::from_kernel($field) else {
                                let (field, number) = (stringify!($field), $field.unwrap_or(0));
                                return Some(Err(declare::NoSuchValue { field, number }));
                            };
                        )*
                        Ok($name::$variant { $( $field, )* })
                    } )*
                    _ => return None,
                })
            }
        }
    };
}
pub(super) use tracepoint_records;
