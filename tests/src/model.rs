//! A model's server, as a chat sees it: what it says is written down beforehand, what it is asked can be read afterwards.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use serde_json::{Value, json};

use crate::wait::DEADLINE;

/// What a model answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These pieces, and the end of the stream.
    Stream(Vec<Value>),
    /// These pieces, and the connection breaks.
    Broken(Vec<Value>),
    /// These pieces, and nothing for as long as somebody listens.
    Silent(Vec<Value>),
    /// The bytes of a stream, and its end.
    Raw(String),
    /// A refusal.
    Refusal(u16, Value),
}

/// What a model was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The head of the request, in lower case.
    pub head: String,
    /// Its body.
    pub body: Value,
}

/// A model's server.
#[derive(Debug)]
pub struct Model {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    asked: Vec<Asked>,
    /// How many listeners have left while nothing was said.
    left: usize,
}

/// A piece of an answer with this change, and the reason of its end.
pub fn piece(delta: &Value, reason: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "test-1",
        "system_fingerprint": "fp", "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }],
    })
}

/// The pieces of an answer in these words.
pub fn words(words: &[&str]) -> Vec<Value> {
    let mut pieces = vec![piece(&json!({ "role": "assistant", "content": "" }), None)];
    pieces.extend(words.iter().map(|word| piece(&json!({ "content": word }), None)));
    pieces.push(piece(&json!({}), Some("stop")));
    pieces
}

/// The pieces of an answer that searches, each with an id and arguments, which come in two pieces.
pub fn searches(calls: &[(&str, &Value)]) -> Vec<Value> {
    let mut pieces = Vec::new();
    for (index, (id, arguments)) in calls.iter().enumerate() {
        let arguments = arguments.as_str().map_or_else(|| arguments.to_string(), str::to_owned);
        let middle = (0..=arguments.len() / 2).rev().find(|at| arguments.is_char_boundary(*at)).unwrap_or(0);
        let (one, two) = arguments.split_at(middle);
        let function = json!({ "name": "_meiliSearchInIndex", "arguments": one });
        let call = json!({ "index": index, "id": id, "type": "function", "function": function });
        let more = json!({ "index": index, "function": { "arguments": two } });
        pieces.push(piece(&json!({ "role": "assistant", "content": null, "tool_calls": [call] }), None));
        pieces.push(piece(&json!({ "tool_calls": [more] }), None));
    }
    pieces.push(piece(&json!({}), Some("tool_calls")));
    pieces
}

// === impl Model ===

impl Model {
    /// Starts a model that has nothing to say yet.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("the listener has an address");
        let shared = Arc::<Shared>::default();
        let model = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let model = model.clone();
                thread::spawn(move || model.serve(&stream));
            }
        });
        Self { address, shared }
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// What it answers next, one after another.
    pub fn will(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.lock().replies.extend(replies);
    }

    /// It answers nothing of what it has not answered yet.
    pub fn forget(&self) {
        self.shared.lock().replies.clear();
    }

    /// What it was asked since this was called last.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.lock().asked)
    }

    /// Waits until a listener has left it in its silence.
    pub fn wait_until_left(&self) {
        let state = self.shared.lock();
        let waited = self.shared.left.wait_timeout_while(state, DEADLINE, |state| state.left == 0);
        assert!(waited.is_ok_and(|(_, waited)| !waited.timed_out()), "nobody has left the model");
    }
}

// === impl Shared ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the requests of one connection.
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(asked) = read(&mut reader) {
            let reply = {
                let mut state = self.lock();
                state.asked.push(asked);
                state.replies.pop_front()
            };
            let nothing =
                || Reply::Refusal(500, json!({ "error": { "message": "nothing to say", "type": "test" } }));
            if !self.answer(stream, reply.unwrap_or_else(nothing)) {
                return;
            }
        }
    }

    /// Whether the connection can be used again.
    fn answer(&self, mut stream: &TcpStream, reply: Reply) -> bool {
        let events =
            |pieces: &[Value]| pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect::<Vec<_>>();
        let (pieces, is_whole) = match &reply {
            Reply::Refusal(status, body) => {
                let body = body.to_string();
                let head = "content-type: application/json\r\ncontent-length";
                let sent =
                    write!(stream, "HTTP/1.1 {status} Refused\r\n{head}: {}\r\n\r\n{body}", body.len());
                return sent.is_ok();
            }
            Reply::Stream(pieces) => (events(pieces), true),
            Reply::Broken(pieces) | Reply::Silent(pieces) => (events(pieces), false),
            Reply::Raw(text) => (vec![text.clone()], false),
        };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
        let done = is_whole.then(|| "data: [DONE]\n\n".to_owned());
        let sent = std::iter::once(head.to_owned())
            .chain(pieces.iter().chain(&done).map(|text| format!("{:x}\r\n{text}\r\n", text.len())))
            .chain((is_whole || matches!(reply, Reply::Raw(_))).then(|| "0\r\n\r\n".to_owned()))
            .all(|text| stream.write_all(text.as_bytes()).is_ok());
        if matches!(reply, Reply::Silent(_)) {
            // Nothing more comes; an end does when the listener leaves.
            let _ = stream.read(&mut [0]);
            self.lock().left += 1;
            self.left.notify_all();
        }
        sent && !matches!(reply, Reply::Broken(_) | Reply::Silent(_))
    }
}

/// The next request of a connection.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    head.make_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { head, body: serde_json::from_slice(&body).ok()? })
}
