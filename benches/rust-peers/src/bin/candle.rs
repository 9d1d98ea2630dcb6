//! The network by candle, from weights of our own format.

use std::collections::HashMap;

use anyhow::Context;
use candle_core::{Device, Tensor};
use rust_peers::Job;
use serde_json::Value;

/// What the weights hold, and what their header says of how to put it together.
struct Network {
    tensors: HashMap<String, Tensor>,
    header: Value,
}

impl Network {
    fn read(job: &Job) -> anyhow::Result<Self> {
        let bytes = std::fs::read(&job.network).with_context(|| job.network.display().to_string())?;
        let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length)) as usize;
        let container: Value = serde_json::from_slice(bytes.get(8..8 + length).context("a short file")?)?;
        let header = container["__metadata__"]["dfm-weights"].as_str().context("no header of ours")?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
        for (name, tensor) in &mut tensors {
            if name.ends_with(".bias") {
                // So that it is added without being reshaped for every picture.
                *tensor = tensor.reshape((1, (), 1, 1))?;
            }
        }
        Ok(Self { header: serde_json::from_str(header)?, tensors })
    }

    fn convolve(&self, input: &Tensor, name: &str, stride: usize) -> anyhow::Result<Tensor> {
        let weight = self.tensors.get(&format!("{name}.weight")).with_context(|| name.to_owned())?;
        let (_, inputs, side, _) = weight.dims4()?;
        let groups = input.dim(1)? / inputs;
        let sums = input.conv2d(weight, side / 2, stride, 1, groups)?;
        Ok(sums.broadcast_add(&self.tensors[&format!("{name}.bias")])?)
    }

    fn forward(&self, input: &Tensor) -> anyhow::Result<Tensor> {
        let architecture = &self.header["architecture"];
        let mut x = self.convolve(input, "stem", 2)?.relu()?;
        // After a ReLU a border of zeros never wins.
        let before = usize::from(architecture["max_pool_padding"] == "symmetric");
        x = x.pad_with_zeros(2, before, 1)?.pad_with_zeros(3, before, 1)?.max_pool2d_with_stride(3, 2)?;
        let halves =
            if architecture["stride_placement"] == "first_convolution" || architecture["block"] == "basic" {
                1
            } else {
                2
            };
        let mut stage = 1;
        while self.tensors.contains_key(&format!("layer{stage}.0.conv1.weight")) {
            let mut index = 0;
            while self.tensors.contains_key(&format!("layer{stage}.{index}.conv1.weight")) {
                let stride = if index == 0 && stage > 1 { 2 } else { 1 };
                x = self.block(&x, &format!("layer{stage}.{index}"), stride, halves)?;
                index += 1;
            }
            stage += 1;
        }
        Ok(x)
    }

    fn block(&self, input: &Tensor, name: &str, stride: usize, halves: usize) -> anyhow::Result<Tensor> {
        let projection = format!("{name}.projection");
        let shortcut = if self.tensors.contains_key(&format!("{projection}.weight")) {
            self.convolve(input, &projection, stride)?
        } else {
            input.clone()
        };
        let count = if self.header["architecture"]["block"] == "basic" { 2 } else { 3 };
        let mut x = input.clone();
        for number in 1..=count {
            let stride = if number == halves { stride } else { 1 };
            x = self.convolve(&x, &format!("{name}.conv{number}"), stride)?;
            if number < count {
                x = x.relu()?;
            }
        }
        Ok((x + shortcut)?.relu()?)
    }
}

fn main() -> anyhow::Result<()> {
    let job = Job::from_arguments()?;
    let network = Network::read(&job)?;
    let input = Tensor::from_slice(&job.input, (job.batch, 3, job.side, job.side), &Device::Cpu)?;
    job.serve("candle 0.11.1", || Ok(network.forward(&input)?.flatten_all()?.to_vec1()?))
}
