//! The engine beside its peers, with criterion: one group a row, named as in `cargo bench --bench
//! table`, one benchmark a side.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

mod work;

fn engine(criterion: &mut Criterion) {
    for row in work::rows() {
        println!("{}, counted in {}: {}", row.work, row.unit, row.differs);
        let mut group = criterion.benchmark_group(&row.work);
        group.sample_size(10);
        group.warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_secs(2));
        for side in [row.ours].into_iter().chain(row.peers) {
            group.throughput(Throughput::Elements((side.run)()));
            group.bench_function(side.who, |bencher| bencher.iter(&side.run));
        }
        group.finish();
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
