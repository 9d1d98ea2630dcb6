//! The description of a whole network.

use dfm_graph::{Graph, NodeId};
use dfm_image::InputContract;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::BackboneError;
use crate::families;
use crate::families::draft::Drafted;
use crate::families::family::Shapes;
use crate::families::resnet::{self, Block, MaxPoolPadding, ResNet, StridePlacement};
use crate::layer::Layer;

/// The description of a whole network, which may come from an untrusted file. It does not say where features
/// are taken.
///
/// A network is a [`Graph`]. A ResNet is described by the fields of [`ResNet`], from which its graph
/// follows, and every other network by the graph itself. In a file, a ResNet is the fields of [`ResNet`],
/// and another network is `name` and `graph`.
///
/// ```
/// use dfm_backbone::{Architecture, Layer};
///
/// let architecture = Architecture::known("resnet50_1by2").expect("a known name");
/// let layer = Layer::named("layer3");
/// assert_eq!(architecture.channels(layer)?, 512);
/// assert_eq!(architecture.feature_size(layer, [256, 256])?, [16, 16]);
/// assert_eq!(architecture.parameter_count(layer)?, 2_148_032);
/// # Ok::<(), dfm_backbone::BackboneError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Architecture {
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    ResNet(ResNet),
    Graph { name: String, graph: Graph },
}

impl Architecture {
    /// The architecture called `name`, if it is one of [`names`](Self::names).
    pub fn known(name: &str) -> Option<Self> {
        if let Some(resnet) = ResNet::known(name) {
            return Some(resnet.into());
        }
        let known = families::find(name, &|_| None)?;
        Some(Self::of_graph(name, known.draft.finish().ok()?.graph))
    }

    /// Whether this is what [`known`](Self::known) gives for its name.
    pub(crate) fn is_known(&self) -> bool {
        Self::known(self.name()).as_ref() == Some(self)
    }

    /// Whether this is the known network of its name, whatever the grid of its positions.
    pub(crate) fn is_of_its_family(&self) -> bool {
        let Form::Graph { name, graph } = &self.form else { return self.is_known() };
        let positions = graph.parameters().into_iter().find(|parameter| parameter.suffix == "positions");
        let shapes = |_: &str| positions.as_ref().map(|parameter| parameter.dims.clone());
        let known = families::find(name, &shapes).and_then(|known| known.draft.finish().ok());
        known.is_some_and(|drafted| drafted.graph == *graph)
    }

    /// The network of a graph.
    pub fn of_graph(name: &str, graph: Graph) -> Self {
        Self { form: Form::Graph { name: name.to_owned(), graph } }
    }

    /// Whether the network is good for one size of pictures alone, as one that an ONNX file describes.
    pub(crate) fn is_for_one_size(&self) -> bool {
        matches!(&self.form, Form::Graph { graph, .. } if graph.size().is_some())
    }

    /// Whether an ONNX file described the network. Its name then has the beginning of the file's SHA-256.
    pub fn is_of_onnx(&self) -> bool {
        matches!(&self.form, Form::Graph { name, .. } if name.starts_with("onnx-"))
    }

    /// Every name that [`known`](Self::known) knows.
    pub fn names() -> &'static [&'static str] {
        families::names()
    }

    /// The name, such as `resnet50`.
    pub fn name(&self) -> &str {
        match &self.form {
            Form::ResNet(resnet) => &resnet.name,
            Form::Graph { name, .. } => name,
        }
    }

    /// The fields of a ResNet; `None` for a network that a graph describes.
    pub fn resnet(&self) -> Option<&ResNet> {
        match &self.form {
            Form::ResNet(resnet) => Some(resnet),
            Form::Graph { .. } => None,
        }
    }

    /// The input contract of the usual weights of this name; [`InputContract::imagenet`] if the name is not
    /// known.
    ///
    /// ```
    /// use dfm_backbone::{Architecture, InputContract};
    ///
    /// let half_width = Architecture::known("resnet50_1by2").expect("a known name");
    /// assert_eq!(half_width.usual_input(), InputContract::caffe());
    /// ```
    pub fn usual_input(&self) -> InputContract {
        families::find(self.name(), &|_| None).map_or_else(InputContract::imagenet, |known| known.input)
    }

    /// Checks that a network can be built from this description.
    ///
    /// # Errors
    ///
    /// [`BackboneError::Architecture`] with the first field that is out of bounds, or
    /// [`BackboneError::Graph`].
    pub fn check(&self) -> Result<(), BackboneError> {
        self.graph().map(|_| ())
    }

    /// The graph of the whole network.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn graph(&self) -> Result<Graph, BackboneError> {
        match &self.form {
            Form::ResNet(resnet) => Ok(self.drafted(resnet)?.graph),
            Form::Graph { name, graph } => {
                check_name(name)?;
                Ok(graph.clone())
            }
        }
    }

    /// The part of the graph that the output of `layer` needs, which is its last node.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check), and [`BackboneError::UnknownLayer`].
    pub fn graph_to(&self, layer: Layer) -> Result<Graph, BackboneError> {
        let graph = self.graph()?;
        let graph = self.with_averages(&graph, [layer])?;
        let node = self.find(&graph, layer)?;
        Ok(graph.up_to(&[node]))
    }

    /// Channels of the features at `layer`.
    ///
    /// # Errors
    ///
    /// Those of [`graph_to`](Self::graph_to).
    pub fn channels(&self, layer: Layer) -> Result<usize, BackboneError> {
        let graph = self.graph_to(layer)?;
        Ok(graph.nodes().last().expect("a graph has a node").form().channels)
    }

    /// Height and width of the features at `layer` for a picture of `size` (height, width) pixels.
    ///
    /// # Errors
    ///
    /// Those of [`graph_to`](Self::graph_to), and [`BackboneError::Graph`] if the picture is too small or
    /// too large.
    pub fn feature_size(&self, layer: Layer, size: [usize; 2]) -> Result<[usize; 2], BackboneError> {
        let graph = self.graph_to(layer)?;
        let shapes = graph.shapes(size).map_err(|cause| self.graph_error(cause))?;
        Ok(shapes.last().expect("a graph has a node").sides)
    }

    /// The number of parameters of the network up to and including `layer`.
    ///
    /// # Errors
    ///
    /// Those of [`graph_to`](Self::graph_to).
    pub fn parameter_count(&self, layer: Layer) -> Result<usize, BackboneError> {
        Ok(self.graph_to(layer)?.parameter_count())
    }

    /// The number of multiplications (each with its addition) up to `layer`, for one picture of `size`
    /// (height, width), with convolutions computed tap by tap.
    ///
    /// ```
    /// use dfm_backbone::{Architecture, Layer};
    ///
    /// let resnet50 = Architecture::known("resnet50").expect("a known name");
    /// assert_eq!(resnet50.multiply_adds(Layer::named("layer3"), [256, 256])?, 4_281_335_808);
    /// # Ok::<(), dfm_backbone::BackboneError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`feature_size`](Self::feature_size).
    pub fn multiply_adds(&self, layer: Layer, size: [usize; 2]) -> Result<u64, BackboneError> {
        self.graph_to(layer)?.multiply_adds(size).map_err(|cause| self.graph_error(cause))
    }

    /// The network with the places of its numbers in other people's files; `None` if its name is not known.
    /// The weights in a file may decide details, which `shapes` tells.
    pub(crate) fn draft(&self, shapes: Shapes<'_>) -> Result<Option<Drafted>, BackboneError> {
        match &self.form {
            Form::ResNet(resnet) => self.drafted(resnet).map(Some),
            Form::Graph { name, .. } => {
                let Some(known) = families::find(name, shapes) else { return Ok(None) };
                known.draft.finish().map(Some).map_err(|cause| self.graph_error(cause))
            }
        }
    }

    /// The error for a graph of this network.
    pub(crate) fn graph_error(&self, cause: dfm_graph::GraphError) -> BackboneError {
        BackboneError::Graph { architecture: self.name().chars().take(64).collect(), cause: Box::new(cause) }
    }

    /// The node of `layer` in the `graph` of this network or a part of it.
    pub(crate) fn find(&self, graph: &Graph, layer: Layer) -> Result<NodeId, BackboneError> {
        graph.tap(layer.name()).ok_or_else(|| {
            let taps: Vec<&str> = graph.taps().map(|(name, _)| name).collect();
            BackboneError::UnknownLayer {
                architecture: self.name().chars().take(64).collect(),
                got: Box::new(layer),
                expected: if taps.is_empty() { "the name of a node".to_owned() } else { taps.join(", ") },
            }
        })
    }

    fn drafted(&self, resnet: &ResNet) -> Result<Drafted, BackboneError> {
        resnet.check()?;
        resnet::draft(resnet).finish().map_err(|cause| self.graph_error(cause))
    }
}

impl From<ResNet> for Architecture {
    fn from(resnet: ResNet) -> Self {
        Self { form: Form::ResNet(resnet) }
    }
}

fn check_name(name: &str) -> Result<(), BackboneError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(legal) {
        return Ok(());
    }
    let shown: String = name.chars().take(64).collect();
    Err(BackboneError::Architecture {
        architecture: shown.clone(),
        field: "name",
        expected: "1 to 64 letters, digits, '_', '-' or '.'".to_owned(),
        got: shown,
    })
}

/// A network that a graph describes, in a file.
#[derive(Serialize)]
struct WrittenGraph<'a> {
    name: &'a str,
    graph: &'a Graph,
}

impl Serialize for Architecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.form {
            Form::ResNet(resnet) => resnet.serialize(serializer),
            Form::Graph { name, graph } => WrittenGraph { name, graph }.serialize(serializer),
        }
    }
}

/// Everything that a description in a file may have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    name: String,
    graph: Option<Graph>,
    block: Option<Block>,
    depths: Option<[usize; 4]>,
    stem_width: Option<usize>,
    width: Option<usize>,
    groups: Option<usize>,
    width_per_group: Option<usize>,
    stride_placement: Option<StridePlacement>,
    max_pool_padding: Option<MaxPoolPadding>,
}

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let read = Read::deserialize(deserializer)?;
        let Read { name, graph: Some(graph), .. } = read else {
            return Ok(Self::from(ResNet {
                name: read.name,
                block: read.block.ok_or_else(|| D::Error::missing_field("block"))?,
                depths: read.depths.ok_or_else(|| D::Error::missing_field("depths"))?,
                stem_width: read.stem_width.ok_or_else(|| D::Error::missing_field("stem_width"))?,
                width: read.width.ok_or_else(|| D::Error::missing_field("width"))?,
                groups: read.groups.ok_or_else(|| D::Error::missing_field("groups"))?,
                width_per_group: read
                    .width_per_group
                    .ok_or_else(|| D::Error::missing_field("width_per_group"))?,
                stride_placement: read
                    .stride_placement
                    .ok_or_else(|| D::Error::missing_field("stride_placement"))?,
                max_pool_padding: read
                    .max_pool_padding
                    .ok_or_else(|| D::Error::missing_field("max_pool_padding"))?,
            }));
        };
        let fields = [
            read.block.is_some(),
            read.depths.is_some(),
            read.stem_width.is_some(),
            read.width.is_some(),
            read.groups.is_some(),
            read.width_per_group.is_some(),
            read.stride_placement.is_some(),
            read.max_pool_padding.is_some(),
        ];
        match fields.contains(&true) {
            true => Err(D::Error::custom("an architecture has a graph or the fields of a ResNet, not both")),
            false => Ok(Self { form: Form::Graph { name, graph } }),
        }
    }
}
