//! Programs as they are: curl, python3 and node.

use super::rig::{Rig, Setup};
use std::process::{Command, Output};

fn there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    assert!(there || std::env::var_os("AISANDBOX_MUST_RUN").is_none(), "{program} is not there");
    if !there {
        println!("skipped: {program} is not there");
    }
    there
}

fn curl(rig: &Rig, options: &[&str]) -> Output {
    let to = format!("a.example:443:{}", rig.address);
    let mut command = Command::new("curl");
    command.args(["-sS", "-i", "-m", "30", "--noproxy", "*", "--connect-to", &to, "--cacert"]).arg(&rig.file);
    command.args(options).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn who_is_refused_while_he_sends_reads_why() {
    if !there("curl") {
        return;
    }
    let rule = crate::wire::egress::Rule { methods: vec!["GET".into()], ..super::rig::rule() };
    let rig = Rig::new(Setup { rule, ..Setup::default() });
    let long = "z".repeat(40_000);
    for flag in ["--http1.1", "--http2"] {
        for turn in 0..15 {
            let body = if turn % 2 == 0 { "x" } else { &long };
            let got = text(&curl(&rig, &[flag, "-X", "PUT", "-d", body, "https://a.example/x"]));
            assert!(got.contains("the rule allows GET") && !got.contains("curl: ("), "{flag} {turn}: {got}");
        }
    }
}

#[test]
fn curl_speaks_either_version_and_uploads() {
    if !there("curl") {
        return;
    }
    for (two, flag, version) in [(false, "--http1.1", "HTTP/1.1 200"), (true, "--http2", "HTTP/2 200")] {
        let rig = Rig::new(Setup { two, ..Setup::default() });
        let got = text(&curl(&rig, &[flag, "https://a.example/x?y=1"]));
        assert!(got.contains(version) && got.ends_with("got 0\n"), "{got}");
        let file = std::env::temp_dir().join(format!("aisandbox-upload-{}-{two}", std::process::id()));
        std::fs::write(&file, vec![b'z'; 3_000_000]).unwrap();
        let data = format!("@{}", file.display());
        let expected = ["-H", "Expect: 100-continue", flag, "--data-binary", &data, "https://a.example/up"];
        let got = text(&curl(&rig, &expected));
        assert!(got.ends_with("got 3000000\n"), "{got}");
        let chunked =
            ["-H", "Transfer-Encoding: chunked", flag, "-T", file.to_str().unwrap(), "https://a.example/up"];
        assert!(text(&curl(&rig, &chunked)).ends_with("got 3000000\n"));
        let closed = text(&curl(
            &rig,
            &["-H", "Connection: close", flag, "https://a.example/a", "https://a.example/b"],
        ));
        assert_eq!(closed.matches("got 0\n").count(), 2, "{closed}");
        std::fs::remove_file(&file).unwrap();
        let lines: Vec<String> = rig.requests().into_iter().map(|seen| seen.line).collect();
        let host = if two { "https://a.example" } else { "" };
        let wanted: Vec<String> = ["GET /x?y=1", "POST /up", "PUT /up", "GET /a", "GET /b"]
            .iter()
            .map(|line| line.replacen(' ', &format!(" {host}"), 1))
            .collect();
        assert_eq!(lines, wanted);
        assert!(rig.requests().iter().all(|seen| seen.whole));
        assert!(rig.requests().iter().all(|seen| !seen.headers.contains_key("expect")));
        assert!(rig.way.sent.load(std::sync::atomic::Ordering::Relaxed) > 6_000_000);
    }
}

#[test]
fn without_the_sessions_authority_curl_says_no() {
    if !there("curl") {
        return;
    }
    let rig = Rig::new(Setup::default());
    let to = format!("a.example:443:{}", rig.address);
    let output = Command::new("curl")
        .args(["-sS", "-m", "30", "--noproxy", "*", "--connect-to", &to, "https://a.example/"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(60), "{}", text(&output));
    assert!(rig.requests().is_empty());
}

#[test]
fn python_and_node_find_the_authority_by_their_variables() {
    let python = "import socket,sys,urllib.request\n\
        real=socket.getaddrinfo\n\
        socket.getaddrinfo=lambda h,p,*a,**k: real('127.0.0.1',int(sys.argv[1]),*a,**k)\n\
        print(urllib.request.urlopen('https://a.example/py',data=b'hello',timeout=30).read())";
    let node = "const tls=require('tls'),https=require('https');\
        const agent=new https.Agent();agent.createConnection=o=>tls.connect({...o,host:'127.0.0.1',port:+process.argv[1],servername:'a.example'});\
        const r=https.request('https://a.example/js',{agent,method:'POST'},a=>{let t='';a.on('data',d=>t+=d);a.on('end',()=>console.log(t))});\
        r.on('error',e=>console.log('error',e.code));r.end('hello')";
    for (program, flag, script, variable) in
        [("python3", "-c", python, "SSL_CERT_FILE"), ("node", "-e", node, "NODE_EXTRA_CA_CERTS")]
    {
        if !there(program) {
            continue;
        }
        let rig = Rig::new(Setup::default());
        let run = |trusts: bool| {
            let mut command = Command::new(program);
            command.args([flag, script, &rig.address.port().to_string()]).env_remove("SSL_CERT_FILE");
            for proxy in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
            {
                command.env_remove(proxy);
            }
            if trusts {
                command.env(variable, &rig.file);
            }
            text(&command.output().unwrap())
        };
        assert!(!run(false).contains("got"), "{program} trusts nobody by itself");
        let got = run(true);
        assert!(got.contains("got 5"), "{program}: {got}");
    }
}
