//! One thread with room for all inputs of the job language: to make one for each is by far slower than to read it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock};

type Ends = (SyncSender<Vec<u8>>, Receiver<()>);

/// Gives the input to the thread and waits for it; a panic there ends the process.
pub fn in_room(data: &[u8], work: fn(&[u8])) {
    static ENDS: OnceLock<Mutex<Ends>> = OnceLock::new();
    let ends = ENDS.get_or_init(|| {
        let (inputs, input) = sync_channel::<Vec<u8>>(1);
        let (done, is_done) = sync_channel(1);
        std::thread::spawn(move || {
            let all = || {
                for data in input {
                    work(&data);
                    done.send(()).expect("the fuzzer waits");
                }
            };
            jobspec::with_room(all).expect("a thread");
        });
        Mutex::new((inputs, is_done))
    });
    let ends = ends.lock().expect("nobody panics");
    ends.0.send(data.to_vec()).expect("the thread is there");
    ends.1.recv().expect("it answers");
}
