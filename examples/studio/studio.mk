# The studio: a page where a network learns while you watch.
#
#     make -C examples studio [PORT=8128]
#
# It needs cpp-httplib and nlohmann's json; in Debian: apt install libcpp-httplib-dev nlohmann-json3-dev pkg-config

PORT = 8128

STUDIO_SOURCES = $(wildcard studio/*.cpp)
STUDIO_PAGE    = $(wildcard studio/page/*)
STUDIO_OBJECTS = $(STUDIO_SOURCES:studio/%.cpp=$(BUILD)/studio_objects/%.o)
STUDIO_INC     = $(STUDIO_PAGE:studio/page/%=$(BUILD)/studio_objects/%.inc)

studio: $(BUILD)/studio
	./$(BUILD)/studio --port $(PORT)

$(BUILD)/studio: $(STUDIO_OBJECTS) $(BUILD)/$(SHARED)
	$(CXX) $(CXX_FLAGS) -pthread -o $@ $(STUDIO_OBJECTS) -L$(BUILD) -lmnist $(RPATH) \
	    $(shell pkg-config --libs cpp-httplib) $(LDFLAGS)

$(BUILD)/studio_objects/%.o: studio/%.cpp $(wildcard studio/*.hpp) $(HEADERS) | studio-needs
	$(CXX) $(CXX_FLAGS) -pthread $(shell pkg-config --cflags cpp-httplib) -I$(BUILD)/studio_objects -c -o $@ $<

$(BUILD)/studio_objects/page.o $(BUILD)/studio_objects/network.o: $(STUDIO_INC)

# A file of the page as a string of C++.
$(BUILD)/studio_objects/%.inc: studio/page/%
	@mkdir -p $(@D)
	@{ printf 'R"page('; cat $<; printf ')page"\n'; } > $@

studio-needs:
	@mkdir -p $(BUILD)/studio_objects
	@pkg-config --exists cpp-httplib && pkg-config --exists nlohmann_json || { echo \
	    'studio needs cpp-httplib and nlohmann_json: apt install libcpp-httplib-dev nlohmann-json3-dev pkg-config' >&2; \
	    exit 1; }

.PHONY: studio studio-needs
