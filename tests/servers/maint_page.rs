use harness::nginx::Nginx;
#[test]
fn up() {
    let n = Nginx::serving("location / { return 200 'app'; }");
    assert!(n.port() > 0);
    assert_eq!(n.errors(), "");
}
