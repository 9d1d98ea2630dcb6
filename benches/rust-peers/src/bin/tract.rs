//! The network by tract, from ONNX, on its own pool of threads.

use rust_peers::Job;
use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::*;

fn main() -> anyhow::Result<()> {
    let job = Job::from_arguments()?;
    set_default_executor(Executor::multithread(job.threads));
    let shape = [job.batch, 3, job.side, job.side];
    let model = tract_onnx::onnx()
        .model_for_path(&job.network)?
        .with_input_fact(0, f32::fact(shape).into())?
        .into_optimized()?
        .into_runnable()?;
    let input: TValue = Tensor::from_shape(&shape, &job.input)?.into();
    job.serve("tract 0.23.9", || {
        let outputs = model.run(tvec!(input.clone()))?;
        Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    })
}
