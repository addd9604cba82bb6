//! Listings that do not end, are too large, or are no listings.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    HubError,
    faulty_hub::{COMMIT, first, fixture, on_api},
};
use crate::serve::{Fault, Listener};

/// A page of a listing that says where the next one is.
fn page(next: &str, body: Vec<u8>) -> Fault {
    Fault::Reply {
        status: 200,
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("content-length".to_owned(), body.len().to_string()),
            ("link".to_owned(), format!("<{next}>; rel=\"next\"")),
        ],
        body,
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_comes_back_to_itself_is_left() {
    let next = format!("/api/models/o/a/tree/{COMMIT}?cursor=again");
    let fixture = fixture(first(usize::MAX, on_api, page(&next, b"[]".to_vec()))).await;
    let error = fixture.list().await.unwrap_err();
    assert_eq!(error.to_string(), "the listing of `o/a@01234567` comes back to a page that was read before");
    assert_eq!(fixture.asked_of(Listener::Hub), 2);
}

#[tokio::test(start_paused = true)]
async fn a_listing_without_end_is_left_after_a_thousand_pages() {
    let number = AtomicUsize::new(0);
    let fixture = fixture(move |_| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        Some(page(&format!("?cursor={number}"), b"[]".to_vec()))
    })
    .await;
    let error = fixture.list().await.unwrap_err();
    assert!(error.to_string().ends_with("has more than 1000 pages"), "{error}");
    assert_eq!(fixture.asked_of(Listener::Hub), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_bounded_in_bytes_over_all_pages() {
    let number = AtomicUsize::new(0);
    let fixture = fixture(move |_| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        let mut body = vec![b' '; 60_000_000];
        body[..2].copy_from_slice(b"[]");
        Some(page(&format!("?cursor={number}"), body))
    })
    .await;
    let error = fixture.list().await.unwrap_err();
    assert!(error.to_string().ends_with("has more than 134217728 bytes"), "{error}");
    assert_eq!(fixture.asked_of(Listener::Hub), 3);
}

#[tokio::test(start_paused = true)]
async fn one_page_is_bounded_in_bytes_before_it_is_read() {
    let huge = Fault::Reply {
        status: 200,
        headers: vec![("content-length".to_owned(), "67108865".to_owned())],
        body: vec![b' '; 67_108_865],
    };
    let fixture = fixture(first(usize::MAX, on_api, huge)).await;
    let error = fixture.list().await.unwrap_err();
    assert!(error.to_string().ends_with("has 67108865 bytes, more than the 67108864 bytes read at most"), "{error}");
    assert_eq!(fixture.client.traffic().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn json_of_any_depth_is_no_danger() {
    for body in ["[".repeat(1_000_000), format!("{{\"x\":{}", "[".repeat(1_000_000)), "{\"a\":".repeat(500_000)] {
        let deep = Fault::Reply {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.into_bytes(),
        };
        let fixture = fixture(first(usize::MAX, on_api, deep)).await;
        for error in [fixture.pin().await.unwrap_err(), fixture.list().await.unwrap_err()] {
            assert!(matches!(error, HubError::Json { .. }), "{error}");
        }
    }
}
