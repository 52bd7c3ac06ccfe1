//! Ids as newtypes, so that no signature takes a bare `Uuid`.

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A new id. Version 7: ids sort by the time they were made, which keeps index pages warm.
            #[cfg(feature = "ssr")]
            #[expect(clippy::new_without_default, reason = "every call gives another id")]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }

            pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(&self) -> &uuid::Uuid {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(JobId);
id!(UserId);
id!(ScheduleId);
id!(
    /// GitHub's own id of a delivery of a webhook.
    DeliveryId
);
id!(
    /// Names an API token, so that it can be listed and withdrawn; it is not the secret.
    TokenId
);
id!(
    /// Names a browser that is signed in; it is not what its cookie holds.
    SessionId
);

impl JobId {
    /// The end of the id, short enough for a heading and still told apart on one board: eight hex digits.
    /// (The start of a version 7 id is the clock and alike for jobs of the same minute.)
    pub fn short(&self) -> String {
        let text = self.0.simple().to_string();
        text[24..].to_owned()
    }

    /// Whether this could be the end of an id, as lists show it.
    pub fn is_short(text: &str) -> bool {
        text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}
