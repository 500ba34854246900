//! The server behind the proxies of the floor benchmark: answers every request, on keep-alive
//! connections, with the same 15 KB of JSON, and does nothing else.
//!
//! `floor-upstream ADDRESS`

use std::{env, error::Error};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The size of the answer's body.
const BODY: usize = 15 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("usage: floor-upstream ADDRESS")?;
    let answer: &'static [u8] = answer().leak();
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, answer));
    }
}

fn answer() -> Vec<u8> {
    let mut body = String::from("{\"hits\":[");
    while body.len() < BODY - 60 {
        body.push_str("{\"id\":1234,\"title\":\"a title\",\"overview\":\"some words\"},");
    }
    body.push_str(&" ".repeat(BODY - 4 - body.len()));
    body.push_str("{}]}");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         x-powered-by: nothing\r\nvary: origin\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

/// Answers once per blank line, which is enough for requests without a body.
async fn serve(mut stream: TcpStream, answer: &'static [u8]) -> std::io::Result<()> {
    let mut buffer = [0; 4096];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        while let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            stream.write_all(answer).await?;
            buffer.copy_within(end + 4..filled, 0);
            filled -= end + 4;
        }
        if filled == buffer.len() {
            return Ok(());
        }
    }
}
