// The filters of the first layer that has any, and what they find in a picture.

#ifndef STUDIO_FIRST_LAYER_HPP
#define STUDIO_FIRST_LAYER_HPP

#include "digit.hpp"

#include <optional>
#include <string>

namespace studio {

constexpr std::size_t most_filters = 32; // that are shown

/// Filters that look at the image itself: those of a convolution, or a dense layer's weights, which are as large as the image.
struct filters {
    std::string layer;
    std::size_t height, width, count;
    std::size_t all;           // how many the layer has
    std::vector<float> values; // [count, height, width]
};

/// What each filter gives, [count, height, width].
struct feature_maps {
    std::size_t height, width, count;
    std::vector<float> values;
};

/// Nothing when the first layer with weights has no filters of these kinds.
inline std::optional<filters> first_filters(const mnist::model &model)
{
    for (const std::string &name : model.weight_names()) {
        const std::size_t slash = name.rfind('/');
        if (const std::string variable = name.substr(slash + 1); variable != "kernel" && variable != "depthwise_kernel")
            continue;
        const std::vector<std::size_t> shape = model.weight_shape(name); // [height, width, 1, count] or [pixels, count]
        const bool convolution = shape.size() == 4 && shape[2] == 1, dense = shape.size() == 2 && shape[0] == side * side;
        if (!convolution && !dense)
            return std::nullopt;
        filters found{name.substr(0, slash), dense ? side : shape[0], dense ? side : shape[1],
                      std::min(most_filters, shape.back()), shape.back(), {}};
        const std::vector<float> kernel = model.get_weight(name);
        for (std::size_t f = 0; f < found.count; f++)
            for (std::size_t at = f; at < kernel.size(); at += shape.back())
                found.values.push_back(kernel[at]);
        return found;
    }
    return std::nullopt;
}

/// What the layer of these filters gives for a picture; nothing when it does not give a map for each.
inline std::optional<feature_maps> maps_of(const mnist::model &model, const filters &of, const picture &about)
{
    const std::vector<std::size_t> shape = model.layer_shape(of.layer); // [height, width, count]
    if (shape.size() != 3 || shape[2] != of.all)
        return std::nullopt;
    const std::vector<float> given = model.predict_layer(of.layer, pixels_of(about));
    feature_maps found{shape[0], shape[1], of.count, {}};
    for (std::size_t f = 0; f < of.count; f++)
        for (std::size_t at = f; at < given.size(); at += shape[2])
            found.values.push_back(given[at]);
    return found;
}

} // namespace studio

#endif
