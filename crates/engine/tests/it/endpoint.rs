//! A model's server on the loopback, with scripted answers.
//!
//! It is asked twice in a run that works: it answers the first question with a tool call that
//! writes a file, and the second one, which has the tool's result in it, with a few words.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

/// What the agent says at the end.
pub const ANSWER: &str = "I wrote hello.txt.";

/// How the model behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    Works,
    IsAskedTooMuch,
}

/// A server that ends with its value.
pub struct Endpoint {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
}

impl Endpoint {
    /// Has agents write `hello.txt` into `folder`.
    pub fn start(script: Script, folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, file) = (Arc::clone(&is_over), folder.join("hello.txt").display().to_string());
        thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !over.load(Ordering::SeqCst)) {
                let file = file.clone();
                thread::spawn(move || stream.map(|stream| answer(stream, script, &file)));
            }
        });
        Self { address, is_over }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// One question and its answer; each connection has one.
fn answer(mut stream: TcpStream, script: Script, file: &str) -> Option<()> {
    let (path, body) = question(&stream)?;
    let (status, kind, text) = match script {
        Script::IsAskedTooMuch => ("429 Too Many Requests", "application/json", too_much()),
        Script::Works => match events(&path, &body, file) {
            Some(text) => ("200 OK", "text/event-stream", text),
            None => ("404 Not Found", "application/json", "{}".to_owned()),
        },
    };
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nx-should-retry: false\r\nconnection: close\r\n\r\n{text}"
    )
    .ok()
}

fn question(stream: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, serde_json::from_slice(&body).unwrap_or_default()))
}

fn too_much() -> String {
    json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "Rate limit reached." } })
        .to_string()
}

fn events(path: &str, body: &Value, file: &str) -> Option<String> {
    if path.contains("/v1/messages") {
        return Some(stream(messages(body, file), ""));
    }
    if path.contains("/responses") {
        return Some(stream(responses(body, file), ""));
    }
    if path.contains("/chat/completions") {
        return Some(stream(completions(body, file), "data: [DONE]\n\n"));
    }
    path.contains("GenerateContent").then(|| stream(vec![content(body, file)], ""))
}

fn stream(events: Vec<Value>, end: &str) -> String {
    let told = |event: Value| match event["type"].as_str() {
        Some(kind) => format!("event: {kind}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    events.into_iter().map(told).collect::<String>() + end
}

/// Whether it is a question of the kind that comes after a tool was used, or has no tools in it.
fn is_last(body: &Value, result: &str) -> bool {
    body.to_string().contains(result) || body["tools"].as_array().is_none_or(Vec::is_empty)
}

fn messages(body: &Value, file: &str) -> Vec<Value> {
    let (start, delta, stop) = if is_last(body, "tool_result") {
        let delta = json!({ "type": "text_delta", "text": ANSWER });
        (json!({ "type": "text", "text": "" }), delta, "end_turn")
    } else {
        let input = json!({ "file_path": file, "content": "hello\n" }).to_string();
        let delta = json!({ "type": "input_json_delta", "partial_json": input });
        let start = json!({ "type": "tool_use", "id": "toolu_1", "name": "Write", "input": {} });
        (start, delta, "tool_use")
    };
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": body["model"],
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 100, "output_tokens": 1 },
    });
    vec![
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": start }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta", "delta": { "stop_reason": stop, "stop_sequence": null },
            "usage": { "output_tokens": 20 },
        }),
        json!({ "type": "message_stop" }),
    ]
}

fn responses(body: &Value, file: &str) -> Vec<Value> {
    let item = if is_last(body, "function_call_output") {
        let text = json!({ "type": "output_text", "text": ANSWER });
        json!({ "type": "message", "role": "assistant", "id": "m1", "content": [text] })
    } else {
        let command = json!({ "cmd": format!("echo hello > '{file}'") }).to_string();
        json!({
            "type": "function_call", "id": "f1", "call_id": "c1", "name": "exec_command",
            "arguments": command,
        })
    };
    let usage = json!({ "input_tokens": 100, "output_tokens": 20, "total_tokens": 120 });
    vec![
        json!({ "type": "response.created", "response": { "id": "r1" } }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
        json!({ "type": "response.completed", "response": { "id": "r1", "usage": usage } }),
    ]
}

fn completions(body: &Value, file: &str) -> Vec<Value> {
    let (delta, why) = if is_last(body, "\"role\":\"tool\"") {
        (json!({ "role": "assistant", "content": ANSWER }), "stop")
    } else {
        let input = json!({ "filePath": file, "content": "hello\n" }).to_string();
        let call = json!({
            "index": 0, "id": "call1", "type": "function",
            "function": { "name": "write", "arguments": input },
        });
        (json!({ "role": "assistant", "tool_calls": [call] }), "tool_calls")
    };
    let chunk = |choices: Value, usage: Value| {
        json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": choices, "usage": usage,
        })
    };
    let usage = json!({ "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120 });
    vec![
        chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }]), Value::Null),
        chunk(json!([{ "index": 0, "delta": {}, "finish_reason": why }]), Value::Null),
        chunk(json!([]), usage),
    ]
}

fn content(body: &Value, file: &str) -> Value {
    let part = if is_last(body, "functionResponse") {
        json!({ "text": ANSWER })
    } else {
        let args = json!({ "file_path": file, "content": "hello\n" });
        json!({ "functionCall": { "name": "write_file", "args": args } })
    };
    json!({
        "candidates": [{
            "content": { "role": "model", "parts": [part] }, "finishReason": "STOP", "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120,
        },
    })
}
