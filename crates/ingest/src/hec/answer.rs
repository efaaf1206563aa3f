//! Answers of the collector: a code, its text, and what some carry besides.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{Refusal, body::BodyFault};

/// The codes of Splunk's documentation, "Troubleshoot HTTP Event Collector".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Success,
    TokenRequired,
    InvalidAuthorization,
    InvalidToken,
    NoData,
    InvalidFormat,
    IncorrectIndex,
    InternalError,
    Busy,
    NoChannel,
    InvalidChannel,
    EventRequired,
    EventBlank,
    AckDisabled,
    IndexedFields,
    QueryTokenDisabled,
    Healthy,
    QueuesFull,
    ShuttingDown,
}

impl Code {
    fn parts(self) -> (u8, StatusCode, &'static str) {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const LATER: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        match self {
            Self::Success => (0, StatusCode::OK, "Success"),
            Self::TokenRequired => (2, StatusCode::UNAUTHORIZED, "Token is required"),
            Self::InvalidAuthorization => (3, StatusCode::UNAUTHORIZED, "Invalid authorization"),
            Self::InvalidToken => (4, StatusCode::FORBIDDEN, "Invalid token"),
            Self::NoData => (5, BAD, "No data"),
            Self::InvalidFormat => (6, BAD, "Invalid data format"),
            Self::IncorrectIndex => (7, BAD, "Incorrect index"),
            Self::InternalError => (8, StatusCode::INTERNAL_SERVER_ERROR, "Internal server error"),
            Self::Busy => (9, LATER, "Server is busy"),
            Self::NoChannel => (10, BAD, "Data channel is missing"),
            Self::InvalidChannel => (11, BAD, "Invalid data channel"),
            Self::EventRequired => (12, BAD, "Event field is required"),
            Self::EventBlank => (13, BAD, "Event field cannot be blank"),
            Self::AckDisabled => (14, BAD, "ACK is disabled"),
            Self::IndexedFields => (15, BAD, "Error in handling indexed fields"),
            Self::QueryTokenDisabled => (16, BAD, "Query string authorization is not enabled"),
            Self::Healthy => (17, StatusCode::OK, "HEC is healthy"),
            Self::QueuesFull => (18, LATER, "HEC is unhealthy, queues are full"),
            Self::ShuttingDown => (23, LATER, "Server is shutting down"),
        }
    }
}

/// A status and a body.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: StatusCode,
    pub(super) body: Value,
}

impl Answer {
    /// An error of the event of this number, from 0. The original counts from 1 where the index is at fault.
    pub(super) fn of_event(code: Code, number: usize) -> Self {
        let mut answer = Self::from(code);
        let shown = number + usize::from(code == Code::IncorrectIndex);
        answer.body["invalid-event-number"] = json!(shown);
        answer
    }

    pub(super) fn acknowledged(id: u64) -> Self {
        let mut answer = Self::from(Code::Success);
        answer.body["ackId"] = json!(id);
        answer
    }

    pub(super) fn of_body(fault: &BodyFault) -> Self {
        let status = match fault {
            BodyFault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyFault::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyFault::UnknownEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            BodyFault::Crowded => return Code::Busy.into(),
            BodyFault::Damaged(_) => return Code::InvalidFormat.into(),
        };
        Self { status, ..Self::from(Code::InvalidFormat) }
    }

    pub(super) fn plain(body: Value) -> Self {
        Self { status: StatusCode::OK, body }
    }
}

impl From<Code> for Answer {
    fn from(code: Code) -> Self {
        let (number, status, text) = code.parts();
        Self { status, body: json!({"text": text, "code": number}) }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Code::Busy.into(),
            Refusal::Unwritable(why) => {
                tracing::warn!(%why, "events cannot be written");
                Self { status: StatusCode::SERVICE_UNAVAILABLE, ..Self::from(Code::InternalError) }
            }
            Refusal::Stopping => Code::ShuttingDown.into(),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json; charset=UTF-8")];
        let mut response = (self.status, headers, self.body.to_string()).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Splunk realm=\"/\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
