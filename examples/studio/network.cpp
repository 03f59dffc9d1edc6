#include "network.hpp"

#include <nlohmann/json.hpp>

namespace studio {

namespace {

using nlohmann::json;

constexpr std::size_t most_layers = 200, most_weights = 20'000'000, largest_batch = 1024, longest_name = 60;

const char networks_json[] =
#include "networks.json.inc"
    ;

[[noreturn]] void wrong(const std::string &key, const std::string &expected, const json &found)
{
    throw bad_network(key + ": expected " + expected + ", found " +
                      (found.is_null() ? "nothing" : found.dump(-1, ' ', false, json::error_handler_t::replace)));
}

json value_at(const json &object, const char *key)
{
    return object.contains(key) ? object.at(key) : json();
}

std::string text_at(const json &object, const char *key)
{
    const json found = value_at(object, key);
    if (!found.is_string())
        wrong(key, "text", found);
    return found.get<std::string>();
}

std::size_t number_at(const json &object, const char *key, std::size_t least, std::size_t most)
{
    const json found = value_at(object, key);
    if (!found.is_number_unsigned() || found.get<std::uint64_t>() < least || found.get<std::uint64_t>() > most)
        wrong(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most), found);
    return found.get<std::size_t>();
}

std::optional<std::size_t> layer_at(const json &object, const char *key, std::size_t above)
{
    return object.contains(key) ? std::optional(number_at(object, key, 0, above)) : std::nullopt;
}

/// The settings and the other settings as one text of JSON5.
configured configured_of(const json &object)
{
    if (!object.is_object())
        wrong("class_name", "a class with its settings", object);
    json settings = value_at(object, "settings");
    if (settings.is_null())
        settings = json::object();
    if (!settings.is_object())
        wrong("settings", "keys and values", settings);
    std::string config = settings.dump(-1, ' ', false, json::error_handler_t::replace);
    if (object.contains("other_settings"))
        config.replace(config.size() - 1, 1, (settings.empty() ? "" : ",") + text_at(object, "other_settings") + "}");
    return {text_at(object, "class_name"), config};
}

network network_of(const json &object)
{
    if (!object.is_object())
        wrong("network", "an object of JSON", object);
    network made{text_at(object, "name"), {}, configured_of(value_at(object, "optimizer")),
                 number_at(object, "batch_size", 1, largest_batch), object.dump(-1, ' ', false, json::error_handler_t::replace)};
    if (made.name.size() > longest_name)
        wrong("name", "at most " + std::to_string(longest_name) + " bytes", made.name);
    const json layers = value_at(object, "layers");
    if (!layers.is_array() || layers.size() > most_layers)
        wrong("layers", "a list of at most " + std::to_string(most_layers), layers.is_array() ? json(layers.size()) : layers);
    for (std::size_t i = 0; i < layers.size(); i++) {
        try {
            made.layers.push_back({configured_of(layers[i]), layer_at(layers[i], "from", i), layer_at(layers[i], "with", i)});
        } catch (const bad_network &bad) {
            throw bad_network(bad.what(), i + 1);
        }
    }
    return made;
}

/// The output of layer number `number`. `outputs` are those above it, the image being the first.
mnist::tensor output_of(const layer &wanted, const std::vector<mnist::tensor> &outputs, std::size_t number)
{
    const auto &[class_name, config] = wanted.what;
    const mnist::tensor from = outputs[wanted.from.value_or(number - 1)];
    const mnist::tensor made =
        wanted.with ? mnist::merge({from, outputs[*wanted.with]}, class_name, config) : from.layer(class_name, config);
    return made;
}

/// A layer whose weights alone would be more than the studio trains, and take gigabytes.
bool is_too_large(const mnist::tensor &input, const mnist::tensor &output)
{
    const auto from = input.shape(), to = output.shape();
    return !from.empty() && !to.empty() && to.back() > most_weights / from.back();
}

std::string text_of(const std::vector<std::size_t> &shape)
{
    return json(shape).dump();
}

} // namespace

network network_of(const std::string &text)
{
    const json object = json::parse(text, nullptr, false);
    if (object.is_discarded())
        throw bad_network("network: expected JSON, found something else");
    return network_of(object);
}

const std::map<std::string, network> &example_networks()
{
    static const std::map<std::string, network> all = [] {
        std::map<std::string, network> made;
        const json examples = json::parse(networks_json);
        for (const auto &[key, object] : examples.items())
            made.emplace(key, network_of(object));
        return made;
    }();
    return all;
}

built build(const network &wanted, std::uint64_t seed)
{
    mnist::graph graph;
    graph.seed(seed);
    std::vector<mnist::tensor> outputs{graph.input(side, side, 1)};
    std::vector<std::vector<std::size_t>> shapes;
    std::size_t number = 0; // of the layer that is being made
    try {
        for (const layer &next : wanted.layers) {
            number++;
            const mnist::tensor made = output_of(next, outputs, number);
            graph.check();
            if (is_too_large(outputs[next.from.value_or(number - 1)], made))
                throw bad_network("it has more than 20 million weights, which is more than the studio trains", number);
            outputs.push_back(made);
            shapes.push_back(made.shape());
        }
        number = 0;
        if (outputs.back().shape().size() != 1)
            throw bad_network("The last layer gives " + text_of(outputs.back().shape()) + ", Dense at the end takes a list of "
                              "numbers: put Flatten or GlobalAveragePooling2D there");
        const mnist::tensor output = outputs.back().dense(classes, mnist::softmax);
        graph.check();
        if (is_too_large(outputs.back(), output))
            throw bad_network("Dense at the end has more than 20 million weights, which is more than the studio trains");
        mnist::model model(outputs.front(), output, wanted.name);
        const std::string optimizer =
            "{class_name:" + json(wanted.optimizer.class_name).dump() + ",config:" + wanted.optimizer.config + "}";
        mnist::compile_options options = mnist::default_compile_options();
        options.optimizer_config = optimizer.c_str();
        model.compile(options);
        return {wanted, std::move(model), std::move(shapes)};
    } catch (const mnist::error &error) {
        throw bad_network(error.what(), number);
    }
}

} // namespace studio
