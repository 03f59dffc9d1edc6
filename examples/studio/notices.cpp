#include "notices.hpp"

#include <nlohmann/json.hpp>

namespace studio {

namespace {

using nlohmann::json;

/// Text for all that is shown: a message from elsewhere may hold any bytes.
std::string text_of(const json &value)
{
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Four decimals are as many as a page can show.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

template <typename Values> json rounded_all(const Values &values)
{
    json list = json::array();
    for (const auto value : values)
        list.push_back(rounded(value));
    return list;
}

/// Two hexadecimal digits a byte.
template <typename Bytes> std::string hex(const Bytes &bytes)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        text += digits[byte / 16];
        text += digits[byte % 16];
    }
    return text;
}

json tests_of(const std::vector<exam> &results)
{
    json tests = json::array();
    for (const exam &one : results)
        tests.push_back({one.step, rounded(one.metrics.loss), one.metrics.accuracy});
    return tests;
}

/// Maps as bytes: 255 for the largest number in them, 0 for what is not above 0.
json maps_of(const feature_maps &found)
{
    const float largest = std::max(1e-6f, *std::max_element(found.values.begin(), found.values.end()));
    std::vector<std::uint8_t> bytes;
    for (const float value : found.values)
        bytes.push_back(static_cast<std::uint8_t>(std::lround(255 * std::max(0.0f, value) / largest)));
    return {{"height", found.height}, {"width", found.width}, {"values", hex(bytes)}};
}

} // namespace

std::string point_json(std::size_t step, const point &made)
{
    return text_of({step, rounded(made.loss), rounded(made.accuracy)});
}

std::string state_json(const progress_notice &state)
{
    return text_of({{"phase", state.phase},
                    {"why", state.why},
                    {"epoch", state.epoch},
                    {"epochs", state.epochs},
                    {"done", rounded(state.done)},
                    {"steps", state.steps},
                    {"speed", std::round(state.speed)},
                    {"testDigits", state.test_digits}});
}

std::string network_json(const built &model)
{
    return text_of({{"network", json::parse(model.network.json)},
                    {"shapes", model.shapes},
                    {"parameters", model.model.count_params()}});
}

std::string bad_network_json(const bad_network &bad) { return text_of({{"error", bad.what()}, {"layer", bad.layer}}); }

std::string run_json(const run &over)
{
    json points = json::array();
    for (const auto &[step, made] : over.curve)
        points.push_back({step, rounded(made.loss), rounded(made.accuracy)});
    return text_of({{"network", json::parse(over.network.json)}, {"points", points}, {"tests", tests_of(over.exams)}});
}

std::string filters_json(const std::optional<filters> &shown)
{
    if (!shown)
        return text_of({{"count", 0}});
    return text_of({{"height", shown->height},
                    {"width", shown->width},
                    {"count", shown->count},
                    {"values", rounded_all(shown->values)}});
}

std::string exams_json(const std::vector<exam> &results)
{
    const exam &last = results.back();
    json rows = json::array();
    for (std::size_t label = 0; label < classes; label++) {
        const auto row = last.confusion.begin() + static_cast<std::ptrdiff_t>(label * classes);
        rows.push_back(std::vector<std::uint64_t>(row, row + classes));
    }
    return text_of({{"tests", tests_of(results)}, {"confusion", rows}});
}

std::string mistakes_json(std::size_t epoch, const mnist::dataset &test, const std::vector<mistake> &mistakes)
{
    json list = json::array();
    for (const mistake &one : mistakes)
        list.push_back({{"image", one.image},
                        {"label", one.label},
                        {"said", one.said},
                        {"probability", rounded(one.probability)},
                        {"picture", hex(digit_of(test, one.image).picture)}});
    return text_of({{"epoch", epoch}, {"mistakes", list}});
}

std::string answer_json(const answer &said, const picture &about, const std::optional<feature_maps> &maps)
{
    return text_of({{"probabilities", rounded_all(said)},
                    {"picture", hex(about)},
                    {"maps", maps ? maps_of(*maps) : json()}});
}

std::string digit_json(std::size_t image, const digit &found)
{
    return text_of({{"image", image}, {"label", found.label}, {"picture", hex(found.picture)}});
}

std::string lesson_json(const lesson_report &report)
{
    return text_of({{"before", rounded_all(report.before)},
                    {"after", rounded_all(report.after)},
                    {"steps", report.steps},
                    {"known", report.known},
                    {"accuracyBefore", report.accuracy_before},
                    {"accuracyAfter", report.accuracy_after}});
}

std::string failure_json(const std::string &text) { return text_of({{"error", text}}); }

} // namespace studio
