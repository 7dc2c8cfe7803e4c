//! temp
use std::process::ExitCode;
use crate::base::*; use crate::profile::*; use crate::plan; use crate::launch; use crate::host::HostTree;
fn e(p:&str,a:Access)->FsEntry{ plan::entry_of_flag("x", InnerPath::new(p).unwrap(), a) }
/// Runs the command line.
#[allow(clippy::all)]
pub fn main() -> ExitCode {
    let argv: Vec<_> = std::env::args_os().skip(1).collect();
    let here = std::env::current_dir().unwrap();
    let s = Source::flag("x");
    let mut pwd = e(here.to_str().unwrap(), Access::Rw);
    for p in [".git/hooks",".git/config",".bashrc"] { pwd.protect.push(Protect{path:p.into(),name_only:false,group:None}); }
    let fs = vec![e("/usr",Access::Ro),e("/bin",Access::Ro),e("/lib",Access::Ro),e("/lib64",Access::Ro),e("/sbin",Access::Ro),e("/etc",Access::Ro),e("/proc",Access::Proc),e("/dev",Access::DevFs),e("/tmp",Access::Tmpfs{size_bytes:Some(1<<30),mode:Some(0o1777)}), pwd];
    let profile = Profile{ name:"t".into(), description:"".into(), origins: vec![], filesystem: fs, network: Network{mode: NetworkMode::Loopback, asked: s.clone(), connect_tcp: None, bind_tcp: None}, environment: Environment{keep: vec!["PATH".into(),"HOME".into(),"TERM".into()], set: vec![]}, limits: Limits::default(), seccomp: Named{value:"agent".into(), asked: s.clone()}, landlock: LandlockWish{filesystem:true,network:false,scopes:true}, degraded: vec![], time_namespace:false, terminal: Terminal{clipboard:false,title:true}, audit: AuditMode::Durable, hostname:"box".into()};
    let wish = plan::Wish{ argv, environment: std::env::vars_os().collect(), chdir: None, here: InnerPath::new(&here).unwrap(), home: InnerPath::new("/root").unwrap() };
    let ab = plan::layers::Abilities{ landlock_abi: crate::sys::landlock::abi().unwrap_or(0), seccomp: true, listener: false, cgroup: false };
    let mut profile = profile; profile.degraded.push((Layer::ProtectNew, s));
    let plan = match plan::build(profile, &wish, ab, &HostTree) { Ok(p)=>p, Err(e)=>{ eprintln!("{e:?}"); return ExitCode::from(125) } };
    let inputs = launch::prepare::Inputs{ landlock_abi: ab.landlock_abi, mount_api: std::env::var_os("CLASSIC").is_none(), mounts: vec![], filter: vec![crate::sys::seccomp::Instruction{code:6,jt:0,jf:0,k:0x7fff0000}], trap: vec![], planted: Some(HostPath::new("/work/main/Cargo.toml").unwrap()), foreign_abi: false, cgroup: false, pass: vec![], pseudo_terminal: true };
    crate::sys::process::set_dumpable(false).unwrap();
    let (ready, ends) = launch::prepare::prepare(&plan, inputs).unwrap();
    let mut running = match launch::start(ready, ends, None) { Ok(r)=>r, Err(f)=>{ eprintln!("{:?}", launch::hint::explain(f,&plan)); return ExitCode::from(125)} };
    if let Err(o) = running.confined() { eprintln!("{o:?}"); if let launch::Outcome::Failed(f)=o { eprintln!("{:?}", launch::hint::explain(f,&plan)); } return ExitCode::from(o.code()); }
    running.go(plan.profile.terminal, None).unwrap();
    let o = running.wait(&mut |_,_,_| {});
    if let launch::Outcome::Failed(f)=o { eprintln!("{:?}", launch::hint::explain(f,&plan)); }
    ExitCode::from(o.code())
}
