//! nginx's combined format: few pages and clients make most of the requests, as everywhere.

use super::super::calendar::{common_log, number};
use super::super::random::{Popularity, Random};
use super::{BEGIN, Entries, add};

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.2 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.17.0",
];

const SECTIONS: [&str; 8] = [
    "account",
    "api/v1/cart",
    "api/v1/items",
    "blog",
    "category",
    "img",
    "products",
    "static/js",
];

pub struct Access {
    random: Random,
    now: u64,
    paths: Vec<String>,
    popularity: Popularity,
    clients: Vec<[u8; 4]>,
    visits: Popularity,
}

impl Access {
    pub fn new(mut random: Random) -> Self {
        let paths = (0..5_000).map(|page| {
            let section = random.pick(&SECTIONS);
            let ending = random.pick(&["", ".html", ".js", ".png", "/reviews", ".json"]);
            format!("/{section}/{page}-{:05x}{ending}", random.below(1 << 20))
        });
        let paths: Vec<String> = paths.collect();
        let clients: Vec<[u8; 4]> = (0..20_000)
            .map(|_| (random.next() as u32 | 0x0100_0000).to_be_bytes())
            .collect();
        let popularity = Popularity::new(paths.len() as u64);
        let visits = Popularity::new(clients.len() as u64);
        Access {
            random,
            now: BEGIN,
            paths,
            popularity,
            clients,
            visits,
        }
    }
}

impl Entries for Access {
    fn next(&mut self, out: &mut Vec<u8>) {
        let random = &mut self.random;
        self.now += random.below(20);
        for (index, octet) in self.clients[self.visits.draw(random)].iter().enumerate() {
            if index > 0 {
                out.push(b'.');
            }
            number(out, u64::from(*octet));
        }
        add(out, " - ");
        if random.chance(50) {
            add(out, "user");
            number(out, random.below(5_000));
        } else {
            out.push(b'-');
        }
        add(out, " [");
        common_log(out, self.now);
        add(out, "] \"");
        add(
            out,
            random.pick(&[
                "GET", "GET", "GET", "GET", "GET", "GET", "GET", "POST", "HEAD", "PUT",
            ]),
        );
        out.push(b' ');
        add(out, &self.paths[self.popularity.draw(random)]);
        if random.chance(150) {
            add(out, "?page=");
            number(out, random.range(1, 200));
        }
        add(out, " HTTP/1.1\" ");
        let status = match random.below(1000) {
            0..=819 => 200,
            820..=889 => 304,
            890..=909 => 301,
            910..=969 => 404,
            970..=979 => 403,
            980..=987 => 500,
            988..=993 => 502,
            994..=996 => 499,
            _ => 503,
        };
        number(out, status);
        out.push(b' ');
        number(
            out,
            if status == 304 {
                0
            } else {
                random.skewed(4_000)
            },
        );
        add(out, " \"");
        match random.below(3) {
            0 => out.push(b'-'),
            1 => add(out, "https://shop.example/"),
            _ => {
                add(out, "https://shop.example");
                add(out, &self.paths[self.popularity.draw(random)]);
            }
        }
        add(out, "\" \"");
        add(out, random.pick(&AGENTS));
        add(out, "\"\n");
    }
}
