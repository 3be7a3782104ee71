//! A client for one HTTP/1.1 connection (RFC 9112) that adds as little time as it can: blocking, kept open, no parsing
//! beyond length and status.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

const READ_TIMEOUT: Duration = Duration::from_secs(60);

pub struct Connection {
    host: String,
    stream: BufReader<TcpStream>,
}

pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Connection {
    /// `host` is HOST:PORT.
    pub fn open(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host).with_context(|| format!("no server at {host}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self { host: host.to_owned(), stream: BufReader::new(stream) })
    }

    /// HOST:PORT.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The bytes of a request, made once so that a loop sends only.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Vec<u8> {
        self.request_with(method, path, body, &[])
    }

    pub fn request_with(&self, method: &str, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Vec<u8> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.request_of(method, path, &headers, body.as_bytes())
    }

    /// A request with a body of any kind.
    pub fn request_of(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}accept: application/json\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    pub fn send(&mut self, request: &[u8]) -> Result<Response> {
        self.stream.get_mut().write_all(request)?;
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.with_context(|| format!("not HTTP: '{status_line}'"))?;
        let mut length = None;
        let mut is_chunked = false;
        loop {
            let header = self.line()?.to_ascii_lowercase();
            match header.split_once(':').map(|(name, value)| (name, value.trim())) {
                Some(("content-length", value)) => length = Some(value.parse()?),
                Some(("transfer-encoding", value)) => is_chunked = value == "chunked",
                Some(_) => {}
                None => break,
            }
        }
        let body = if is_chunked { self.chunks()? } else { self.bytes(length.unwrap_or(0))? };
        Ok(Response { status, body })
    }

    /// Sends a request and reads its JSON answer; any status but 2xx is an error that shows the body.
    pub fn json(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let response = self.send(&self.request(method, path, body))?;
        if !(200..300).contains(&response.status) {
            bail!("{method} {path} answered {}: {}", response.status, String::from_utf8_lossy(&response.body));
        }
        if response.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&response.body).with_context(|| format!("{method} {path} answered no JSON"))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("{} closed the connection", self.host);
        }
        Ok(line.trim_end().to_owned())
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.line()?;
            let length = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)?;
            body.extend(self.bytes(length)?);
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Answers each request of one connection with the next of the texts.
    fn answering(answers: &'static [&'static str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            for answer in answers {
                let mut line = String::from("x");
                while line.trim_end() != "" {
                    line.clear();
                    stream.read_line(&mut line).unwrap();
                }
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
            }
        });
        host
    }

    #[test]
    fn one_connection_reads_bodies_by_length_and_by_chunks() {
        let host = answering(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:2}\r\n0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone",
        ]);
        let mut connection = Connection::open(&host).unwrap();
        assert_eq!(connection.json("GET", "/", None).unwrap()["a"], 1);
        assert_eq!(connection.json("GET", "/", None).unwrap()["a"], 2);
        let error = connection.json("GET", "/x", None).unwrap_err();
        assert_eq!(error.to_string(), "GET /x answered 404: none");
    }
}
