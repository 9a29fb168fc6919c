//! The HTTP end: what was published last, on a thread of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::get;

use crate::failure::{Failure, Result};

/// What is served, in each form.
#[derive(Clone, Debug)]
pub struct Published {
    /// OpenMetrics text.
    pub metrics: String,
    /// One JSON object.
    pub json: String,
    /// Lines of CSV with a head.
    pub csv: String,
}

/// A server that is listening.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    published: Arc<Mutex<Published>>,
}

/// The media type that OpenMetrics has, which a scraper goes by.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const INDEX: &str = "<!doctype html><title>faultlab</title><h1>faultlab serve</h1><ul>\
<li><a href=/metrics>/metrics</a>: OpenMetrics, for Prometheus\
<li><a href=/state.json>/state.json</a>\
<li><a href=/state.csv>/state.csv</a></ul>\n";

impl Server {
    /// Listens, and answers with `first` until something else is published, until the process ends. Port 0 is any that
    /// is free.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(address: SocketAddr, first: Published) -> Result<Server> {
        let refuse = |error: std::io::Error| {
            Failure::bad_input(format!("{address} cannot be listened on: {error}"))
                .help("--listen 127.0.0.1:0 takes any port that is free, and says which")
        };
        let listener = TcpListener::bind(address).map_err(refuse)?;
        listener.set_nonblocking(true).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(refuse)?;
        let published = Arc::new(Mutex::new(first));
        let routes = routes(&published);
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)
                    .expect("the listener does not block, and the runtime has I/O");
                match axum::serve(listener, routes).await {
                    Ok(()) => {}
                    Err(error) => eprintln!("no more is served: {error}"),
                }
            });
        });
        Ok(Server { address, published })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this is served.
    pub fn publish(&self, published: Published) {
        *self
            .published
            .lock()
            .expect("nothing panics while it is held") = published;
    }
}

fn routes(published: &Arc<Mutex<Published>>) -> Router {
    let part = |media: &'static str, part: fn(&Published) -> String| {
        let published = published.clone();
        get(move || async move {
            let text = part(&published.lock().expect("nothing panics while it is held"));
            ([(CONTENT_TYPE, media)], text).into_response()
        })
    };
    Router::new()
        .route("/", get(async || Html(INDEX)))
        .route("/metrics", part(OPEN_METRICS, |all| all.metrics.clone()))
        .route(
            "/state.json",
            part("application/json", |all| all.json.clone()),
        )
        .route(
            "/state.csv",
            part("text/csv; charset=utf-8", |all| all.csv.clone()),
        )
}
