// A network as the page describes it, and the model that it becomes.
//
//     {"name": "LeNet-5",
//      "layers": [{"class_name": "Conv2D", "settings": {"filters": 6}, "other_settings": "use_bias: false", "from": 0, "with": 3}],
//      "optimizer": {"class_name": "SGD", "settings": {"learning_rate": 0.05}, "other_settings": "clipnorm: 1"},
//      "batch_size": 64}
//
// Classes and settings are Keras's; other_settings is text of JSON5. A layer takes the output of the layer above it, or of
// layer number `from`, counted from 1; 0 is the image. A layer that takes two outputs has the second one's number in `with`.
// Below the last layer comes Dense(10, softmax), a probability for each digit.

#ifndef STUDIO_NETWORK_HPP
#define STUDIO_NETWORK_HPP

#include "digit.hpp"

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace studio {

/// A class of Keras's and its settings: JSON5.
struct configured {
    std::string class_name, config;
};

struct layer {
    configured what;
    std::optional<std::size_t> from, with;
};

struct network {
    std::string name;
    std::vector<studio::layer> layers;
    configured optimizer;
    std::size_t batch_size = 32;
    std::string json; // what it was read from
};

/// Why a description becomes no model.
struct bad_network : std::runtime_error {
    bad_network(const std::string &why, std::size_t number = 0) : std::runtime_error(why), layer(number) {}

    std::size_t layer; // counted from 1; 0 when it is no single layer's fault
};

struct built {
    studio::network network;
    mnist::model model;
    std::vector<std::vector<std::size_t>> shapes; // of each layer's output
};

/// Throws bad_network.
network network_of(const std::string &json);

/// The networks of networks.json, by their keys.
const std::map<std::string, network> &example_networks();

/// A compiled model with fresh weights. Throws bad_network.
built build(const network &wanted, std::uint64_t seed);

} // namespace studio

#endif
